package eventbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Any, as the domain or the action of a registration, stands for every one:
// (Any, Any) is all events, ("user", Any) those of user, (Any, "created")
// whatever any domain created.
const Any = "*"

// Func handles an event. It may be called by several goroutines at once, and it
// must not write to data.RawParams.
type Func func(ctx context.Context, data Data) error

// Handler says who a registration is: in errors, in log lines, in Bus.Handlers.
type Handler struct {
	Domain, Action string // as registered; either may be Any
	Name           string // the function, such as mail.(*Service).Welcome
	Source         string // the registering call: import path, file and line, such as shop/mail/wire.go:31
}

// String returns the handler as an error names it: user/created (mail.Welcome).
func (h Handler) String() string { return h.Domain + "/" + h.Action + " (" + h.Name + ")" }

// Middleware wraps next, the handler that h describes. It is called once for
// each registration, while that is made; the Func it returns is called for each
// event, and what it doesn't pass on to next never reaches the handler.
type Middleware func(h Handler, next Func) Func

// Bus hands events to the handlers registered for them. The zero Bus works and
// logs nothing. A Bus must not be copied once it is used.
type Bus struct {
	log        *slog.Logger
	mw         []Middleware
	dispatched atomic.Bool
	mu         sync.Mutex // held while the next table is made
	table      atomic.Pointer[table]
}

// New returns a Bus whose every handler is wrapped in mw, the first outermost,
// around the middleware of its own registration. The bus logs each dispatch at
// Debug and each failed handler at Error; with a nil log it logs nothing.
func New(log *slog.Logger, mw ...Middleware) *Bus { return &Bus{log: log, mw: slices.Clone(mw)} }

// Register adds fn to the handlers of (domain, action), wrapped in mw, the first
// outermost. The returned function takes the registration back. It doesn't wait
// for dispatches under way, which may still call fn, and a second call of it
// does nothing.
//
// Register panics where a name is empty, fn or a middleware is nil, or a
// middleware returns nil.
func (b *Bus) Register(domain, action string, fn Func, mw ...Middleware) (unregister func()) {
	return b.Handle(Handler{Domain: domain, Action: action}, fn, mw...)
}

// Handle is Register for callers that know better than the bus who the handler
// is, since they wrap functions or registration themselves. An empty Name or
// Source is derived, as Register does.
func (b *Bus) Handle(h Handler, fn Func, mw ...Middleware) (unregister func()) {
	h.Name, h.Source = cmp.Or(h.Name, funcName(fn)), cmp.Or(h.Source, callSite())
	if h.Domain == "" || h.Action == "" {
		misuse(fmt.Sprintf("register %q/%q", h.Domain, h.Action), h.Source, errNoName.Error()+"; Any stands for all")
	}
	if fn == nil {
		misuse(fmt.Sprintf("register %s/%s", h.Domain, h.Action), h.Source, "the handler is nil")
	}
	if len(b.mw)+len(mw) > 0 {
		fn = wrap(h, wrap(h, recovered(fn), mw), b.mw)
	}
	r := handler{fn, &entry{Handler: h}}
	k := key{h.Domain, h.Action}
	b.change(func(t *table) {
		t.seq++
		r.seq = t.seq
		t.edit(k, func(hs []handler) []handler { return append(hs, r) }) // tables in use don't see behind their part of hs
	})
	return func() {
		b.change(func(t *table) {
			t.edit(k, func(hs []handler) []handler {
				return slices.DeleteFunc(slices.Clone(hs), func(o handler) bool { return o.entry == r.entry })
			})
		})
	}
}

// Intercept wraps every dispatch of the bus in mw, the first outermost, inside
// what earlier calls gave. The Handler that mw is given is named Call or Publish
// and has neither domain nor action; its next runs the handlers.
//
// Intercept panics once the bus has dispatched an event, and where a middleware
// is nil or returns nil.
func (b *Bus) Intercept(mw ...Middleware) {
	source := callSite()
	if b.dispatched.Load() {
		misuse("Intercept", source, "the bus has dispatched already; intercept before the first event")
	}
	var l [2]handler
	inside := new(int)
	for mode, name := range modes {
		h := Handler{Name: name, Source: source}
		fn := func(ctx context.Context, data Data) error { return within(ctx, data, b, mode, *inside) }
		l[mode] = handler{recovered(wrap(h, fn, mw)), &entry{Handler: h}}
	}
	b.change(func(t *table) {
		t.layers = append(t.layers, l)
		*inside = len(t.layers)
	})
}

// Call runs the handlers of data's domain and action, in the order of their
// registration, until one fails. It returns that failure, a *HandlerError, or
// nil, also where nobody handles the event.
func (b *Bus) Call(ctx context.Context, data Data) error { return dispatch(ctx, data, b, call) }

// Publish runs all handlers of data's domain and action, in the order of their
// registration, and returns their failures, each a *HandlerError, joined in that
// order, or nil, also where nobody handles the event.
func (b *Bus) Publish(ctx context.Context, data Data) error { return dispatch(ctx, data, b, publish) }

// Handlers returns who is registered when the iteration begins, in the order of
// registration.
func (b *Bus) Handlers() iter.Seq[Handler] {
	return func(yield func(Handler) bool) {
		for _, h := range b.current().all() {
			if !yield(h.Handler) {
				return
			}
		}
	}
}

const call, publish = 0, 1

var modes = [...]string{call: "Call", publish: "Publish"}

// dispatch is the frame by which tooDeep counts, hence noinline. That data comes
// first, here and below, keeps it in registers.
//
//go:noinline
func dispatch(ctx context.Context, data Data, b *Bus, mode int) error {
	if !b.dispatched.Load() {
		b.dispatched.Store(true)
	}
	var here byte
	if sampled(uintptr(unsafe.Pointer(&here))) && tooDeep() {
		return &CycleError{}
	}
	t := b.current()
	if t.wild > 0 || len(t.layers) > 0 || b.log != nil && b.log.Enabled(ctx, slog.LevelDebug) {
		return within(ctx, data, b, mode, 0)
	}
	hs := t.find(key{data.Domain, data.Action})
	if at, err := run(ctx, data, hs); err != nil || len(hs) == 0 {
		return goOn(ctx, data, b, mode, hs, at, err)
	}
	return nil
}

// within runs what lies within the outermost layers of interceptors.
func within(ctx context.Context, data Data, b *Bus, mode, layers int) error {
	t := b.current()
	if layers < len(t.layers) {
		l := t.layers[layers][mode]
		err := l.fn(ctx, data)
		if p, ok := err.(*PanicError); ok && layers == 0 { // a handler's comes in a HandlerError
			return b.failed(ctx, data, l.Handler, p)
		}
		return err
	}
	if b.log != nil {
		b.log.LogAttrs(ctx, slog.LevelDebug, "eventbus: "+modes[mode], slog.String("domain", data.Domain), slog.String("action", data.Action))
	}
	var few [64]handler // so that a dispatch allocates nothing
	hs := t.match(data, few[:0])
	at, err := run(ctx, data, hs)
	return goOn(ctx, data, b, mode, hs, at, err)
}

// goOn ends the dispatch in which hs[at] returned err, after the handlers that
// are still to run.
func goOn(ctx context.Context, data Data, b *Bus, mode int, hs []handler, at int, err error) error {
	if len(hs) == 0 {
		return data.check(modes[mode])
	}
	var errs []error
	for ; err != nil; at, err = run(ctx, data, hs) {
		err = b.failed(ctx, data, hs[at].Handler, err)
		if _, cycle := err.(*CycleError); cycle || mode == call {
			return err
		}
		errs, hs = append(errs, err), hs[at+1:]
	}
	return errors.Join(errs...)
}

// run calls the handlers in order until one fails or panics, and returns that
// one's index and error. One recover serves them all.
func run(ctx context.Context, data Data, hs []handler) (at int, err error) {
	defer func() {
		// Neither through nor failed: a panic, or runtime.Goexit, after which
		// nobody reads err.
		if at < len(hs) && err == nil {
			err = &PanicError{Value: recover(), Stack: debug.Stack()}
		}
	}()
	for i, h := range hs {
		at = i
		if err := h.fn(ctx, data); err != nil {
			return i, err
		}
	}
	return len(hs), nil
}

// recovered returns fn with its panics made errors.
func recovered(fn Func) Func {
	one := []handler{{fn: fn}}
	return func(ctx context.Context, data Data) error {
		_, err := run(ctx, data, one)
		return err
	}
}

// failed returns err as a dispatch reports it of h, and logs it, unless a
// dispatch that h made has done so.
func (b *Bus) failed(ctx context.Context, data Data, h Handler, err error) error {
	out := error(&HandlerError{Handler: h, Domain: data.Domain, Action: data.Action, Err: err})
	_, logged := errors.AsType[*HandlerError](err)
	if cycle, ok := errors.AsType[*CycleError](err); ok {
		logged = true
		if up := cycle.through(h); up != nil {
			out, err, logged = up, up, up.levels != maxDepth/2
		}
	}
	if log := b.log; log != nil && !logged {
		if p, ok := errors.AsType[*PanicError](err); ok {
			log = log.With("stack", string(p.Stack))
		}
		log.LogAttrs(ctx, slog.LevelError, "eventbus: handler failed", slog.String("domain", data.Domain), slog.String("action", data.Action),
			slog.String("handler", h.Name), slog.String("source", h.Source), slog.Any("err", err))
	}
	return out
}

// wrap applies mw, the first outermost.
func wrap(h Handler, fn Func, mw []Middleware) Func {
	for _, m := range slices.Backward(mw) {
		if m == nil {
			misuse("wrap "+h.String(), h.Source, "a middleware is nil")
		}
		if fn = m(h, fn); fn == nil {
			misuse("wrap "+h.String(), h.Source, "a middleware returned nil")
		}
	}
	return fn
}

func misuse(what, source, why string) { panic("eventbus: " + what + " at " + source + ": " + why) }

// HandlerError says which handler of which event failed. Call returns one,
// Publish joins them.
type HandlerError struct {
	Handler        Handler // named Call or Publish for an interceptor that panicked
	Domain, Action string  // of the event
	Err            error   // the handler's error, or a *PanicError
}

func (e *HandlerError) Error() string {
	return e.Domain + "/" + e.Action + ": handler " + e.Handler.Name + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *HandlerError) Unwrap() error { return e.Err }

// PanicError is the error of a handler that panicked.
type PanicError struct {
	Value any    // what panic was called with
	Stack []byte // of the panic, as runtime/debug.Stack formats it
}

// Error quotes a value that is a text, an error or a fmt.Stringer, and names the
// type of any other, which may hold the params.
func (e *PanicError) Error() string {
	switch e.Value.(type) {
	case string, error, fmt.Stringer:
		return fmt.Sprintf("panic: %v", e.Value)
	}
	return fmt.Sprintf("panic: a value of type %T", e.Value)
}

// Unwrap returns Value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// CycleError says that events set each other off without end: that over 1,000
// dispatches were nested on one goroutine. It is permanent: see IsPermanent.
//
// It aborts each dispatch of the cycle, Publish too, on its way up, and sheds
// what those handlers wrapped it in. For a dispatch outside the cycle it is an
// error like any other.
type CycleError struct {
	Handlers []Handler // who takes part, in the order of the dispatches
	levels   int       // how many dispatches it came up through
}

func (e *CycleError) Error() string {
	return fmt.Sprintf("eventbus: events set each other off without end: %.300s", fmt.Sprint(e.Handlers))
}

func (*CycleError) permanent() {}

// through returns e as it comes out of a dispatch of h, or nil where h takes no
// part in the cycle. Half of the dispatches name all who do.
func (e *CycleError) through(h Handler) *CycleError {
	switch known := slices.Contains(e.Handlers, h); {
	case known:
		return &CycleError{e.Handlers, e.levels + 1}
	case e.levels < maxDepth/2:
		return &CycleError{slices.Concat([]Handler{h}, e.Handlers), e.levels + 1}
	}
	return nil
}

const maxDepth = 1000

// sampled chooses one dispatch in 2,048 to look at its stack. Where it stands on
// the stack, which is known for free and moves with each nested dispatch, spares
// most of them the throw of the dice.
func sampled(stack uintptr) bool {
	return uint64(stack)*0x9e3779b97f4a7c15>>58 == 0 && rand.Uint32()%32 == 0
}

// tooDeep reports whether over maxDepth dispatches are nested on this goroutine.
// Only the stack can tell: a handler may pass on any context, and a count in one
// would cost each dispatch an allocation. It looks on while it finds a dispatch
// in every 256 frames, and once in a while at the whole stack.
//
//go:noinline
func tooDeep() bool {
	entry := reflect.ValueOf(dispatch).Pointer()
	whole := rand.N(16) == 0
	var first [256]uintptr
	for pcs := first[:]; ; pcs = make([]uintptr, 8*len(pcs)) {
		n, depth := runtime.Callers(0, pcs), 0
		for _, pc := range pcs[:n] {
			if runtime.FuncForPC(pc-1).Entry() == entry {
				depth++
			}
		}
		if depth > maxDepth || n < len(pcs) || depth*len(first) < n && !whole {
			return depth > maxDepth
		}
	}
}

// table is what is registered at one time. It never changes; its successor shares
// with it whatever stays the same, so that a registration copies little.
type table struct {
	root   [256]*[256]*pair // by the hash of the key
	seq    uint64           // of the newest registration
	wild   int              // how many registrations have an Any
	layers [][2]handler     // what each Intercept wraps dispatches in, by mode
}

type key struct{ domain, action string }

type pair struct {
	key
	handlers []handler
	next     *pair
}

// handler has fn beside the rest, so that a dispatch reads no more.
type handler struct {
	fn Func
	*entry
}

type entry struct {
	Handler
	seq uint64
}

var (
	empty table
	seed  = maphash.MakeSeed()
)

func (b *Bus) current() *table {
	if t := b.table.Load(); t != nil {
		return t
	}
	return &empty
}

// change makes the next table.
func (b *Bus) change(f func(*table)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := *b.current()
	f(&t)
	b.table.Store(&t)
}

func (t *table) find(k key) []handler {
	hash := maphash.Comparable(seed, k)
	if n := t.root[hash%256]; n != nil {
		for p := n[hash/256%256]; p != nil; p = p.next {
			if p.key == k {
				return p.handlers
			}
		}
	}
	return nil
}

// edit replaces the handlers that k has.
func (t *table) edit(k key, f func([]handler) []handler) {
	before := t.find(k)
	after := f(before)
	if k.domain == Any || k.action == Any {
		t.wild += len(after) - len(before)
	}
	hash := maphash.Comparable(seed, k)
	n := *cmp.Or(t.root[hash%256], new([256]*pair))
	var pairs *pair
	for p := n[hash/256%256]; p != nil; p = p.next {
		if p.key != k {
			pairs = &pair{p.key, p.handlers, pairs}
		}
	}
	if len(after) > 0 {
		pairs = &pair{k, after, pairs}
	}
	n[hash/256%256] = pairs
	t.root[hash%256] = &n
}

// match appends to hs the handlers of data, wildcards and all.
func (t *table) match(data Data, hs []handler) []handler {
	keys := [...]key{{data.Domain, data.Action}, {data.Domain, Any}, {Any, data.Action}, {Any, Any}}
	for i, k := range keys {
		if !slices.Contains(keys[i+1:], k) { // the event may itself be named Any
			hs = append(hs, t.find(k)...)
		}
	}
	return inOrder(hs)
}

func (t *table) all() (hs []handler) {
	for _, n := range t.root {
		for _, p := range *cmp.Or(n, new([256]*pair)) {
			for ; p != nil; p = p.next {
				hs = append(hs, p.handlers...)
			}
		}
	}
	return inOrder(hs)
}

func inOrder(hs []handler) []handler {
	slices.SortFunc(hs, func(x, y handler) int { return cmp.Compare(x.seq, y.seq) })
	return hs
}

// funcName returns the name of fn as people write it, or nothing for nil.
func funcName(fn any) string {
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	return unescape(strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], "-fm"))
}

// callSite returns the place outside this package that called it.
func callSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if more && strings.HasPrefix(f.Function, reflect.TypeFor[Bus]().PkgPath()+".") {
			continue
		}
		pkg := f.Function[:strings.LastIndexByte(f.Function, '/')+1]
		name, _, _ := strings.Cut(f.Function[len(pkg):], ".")
		return fmt.Sprintf("%s%s%s:%d", pkg, unescape(name), f.File[strings.LastIndexByte(f.File, '/'):], f.Line)
	}
}

// unescape undoes what the linker does to dots in a package's last element.
func unescape(name string) string { return strings.ReplaceAll(name, "%2e", ".") }
