// Package eventbus lets the domain packages of one program react to each other
// without importing each other. A producer names what happened by domain and
// action and hands over its params as JSON; the handlers registered for that
// event run at once, on the producer's goroutine.
//
//	bus := eventbus.New(slog.Default())
//
//	// package mail, wired at startup:
//	eventbus.On(bus, "user", "created", func(ctx context.Context, u struct{ Email string }) error {
//		return send(ctx, u.Email, "Welcome!")
//	})
//
//	// package user, in a request:
//	err := bus.Call(ctx, eventbus.MustData("user", "created", User{ID: 7, Email: "ann@example.org"}))
//
// Call stops at the first error: use it where a side effect that fails must abort
// what the producer is doing. Publish runs every handler and joins the errors:
// use it where the handlers have no business with each other.
//
// # Promises
//
//  1. Handlers run on the goroutine that called, in the order of registration,
//     exact and wildcard registrations together. The bus starts no goroutine.
//  2. Call stops at the first error and returns it. Publish runs every handler and
//     returns all errors joined, in order.
//  3. errors.Is and errors.As reach the handler's own error; the message names the
//     domain, the action and the handler.
//  4. A panic in a handler is returned as a *PanicError and logged; Publish goes on
//     to the next handler. Where a registration has middleware, that sees the panic
//     as an error too, and its own panics are caught as well. A panic(nil) is a
//     panic. runtime.Goexit passes.
//  5. A dispatch runs the handlers that were registered when it began. A handler may
//     register, unregister and dispatch. Unregistering doesn't wait for dispatches
//     under way; doing it twice is harmless.
//  6. No lock is held while a handler, or a middleware, runs. All methods are safe for
//     concurrent use, and a dispatch never waits for a registration.
//  7. An event that nobody handles is no error. Data whose domain or action is "*"
//     reaches only the handlers registered with Any there.
//  8. The context reaches the handlers as the outermost middleware passes it on. The
//     bus never looks into it, so it neither adds nor hides a deadline; nil passes.
//  9. RawParams is immutable once dispatched, for the producer too: handlers share it,
//     wrappers may keep it. Each Decode gives its caller a value of its own.
//  10. Events that set each other off without end come back as one *CycleError with a
//     short message, also when each has several handlers that dispatch again and when
//     handlers wrap the errors. Where handlers swallow errors such events may spin,
//     but never overflow the stack. Chains of up to 1,000 nested dispatches always
//     pass, however deep the stack that they start on.
//  11. Misuse at wiring time (a nil handler, an empty domain or action) panics at once
//     and says where. Bad data at run time never panics: it is an error.
//  12. Params never appear in a log line or in the text of an error of this package:
//     domain, action, handler, type, field, offset and the kind of cause do. What an
//     error unwraps to, and a handler's own error, may quote them.
//
// # Cost
//
// A dispatch costs little more than a look-up and the calls. A successful one
// allocates nothing, with or without a logger whose level is off, unless wildcards
// bring more than 64 handlers together. Wildcards and interceptors cost nothing as
// long as nobody uses them.
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
	"time"
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
	log   *slog.Logger
	mw    []Middleware
	state atomic.Int64 // 0 before the first dispatch, calm, or until when all dispatches are counted, in Unix nanoseconds
	mu    sync.Mutex   // held while the next table is made
	table atomic.Pointer[table]
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
	if h.Domain == "" || h.Action == "" || fn == nil {
		misuse(fmt.Sprintf("register %q/%q", h.Domain, h.Action), h.Source, "a domain, an action (eventbus.Any for all) and a handler are needed")
	}
	if len(b.mw)+len(mw) > 0 {
		fn = wrap(h, wrap(h, recovered(fn), mw), b.mw)
	}
	r := handler{fn: fn, Handler: &h}
	b.put(r, true)
	return func() { b.put(r, false) }
}

// Intercept wraps every dispatch of the bus in mw, the first outermost, inside
// what earlier calls gave. The Handler that mw is given is named Call or Publish
// and has neither domain nor action; its next runs the handlers.
//
// Intercept panics once the bus has dispatched an event, and where a middleware
// is nil or returns nil.
func (b *Bus) Intercept(mw ...Middleware) {
	source := callSite()
	if b.state.Load() != 0 {
		misuse("Intercept", source, "the bus has dispatched already; intercept before the first event")
	}
	l := map[string]handler{}
	inside := new(int)
	for _, mode := range []string{call, publish} {
		h := Handler{Name: mode, Source: source}
		fn := func(ctx context.Context, data Data) error { return within(ctx, data, b, mode, *inside) }
		l[mode] = handler{fn: recovered(wrap(h, fn, mw)), Handler: &h}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := *b.current()
	t.layers = append(t.layers, l)
	*inside = len(t.layers)
	b.table.Store(&t)
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
		var all []handler
		for _, n := range b.current().root {
			for _, p := range *cmp.Or(n, &none) {
				for ; p != nil; p = p.next {
					all = append(all, p.handlers...)
				}
			}
		}
		for _, h := range inOrder(all) {
			if !yield(*h.Handler) {
				return
			}
		}
	}
}

const call, publish = "Call", "Publish"

// dispatch is the frame by which tooDeep counts, hence noinline. That data comes
// first, here and below, keeps it in registers.
//
//go:noinline
func dispatch(ctx context.Context, data Data, b *Bus, mode string) error {
	// Where mode is on the stack costs nothing to know and moves with each nested
	// dispatch: it spares most of them the throw of the dice.
	here := uint64(uintptr(unsafe.Pointer(&mode)))
	if state := b.state.Load(); (state != calm || here*0x9e3779b97f4a7c15>>58 == 0 && rand.Uint32()%32 == 0) && b.tooDeep(state) {
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
//
//go:noinline
func within(ctx context.Context, data Data, b *Bus, mode string, layers int) error {
	t := b.current()
	if layers < len(t.layers) {
		l := t.layers[layers][mode]
		err := l.fn(ctx, data)
		if p, ok := err.(*PanicError); ok && layers == 0 { // a handler's comes in a HandlerError
			return b.failed(ctx, data, *l.Handler, p)
		}
		return err
	}
	if b.log != nil {
		b.log.LogAttrs(ctx, slog.LevelDebug, "eventbus: dispatch", slog.String("by", mode), slog.String("domain", data.Domain), slog.String("action", data.Action))
	}
	var few [64]handler // so that a dispatch allocates nothing
	hs := t.match(data, few[:0])
	at, err := run(ctx, data, hs)
	return goOn(ctx, data, b, mode, hs, at, err)
}

// goOn ends the dispatch in which hs[at] returned err, after the handlers that
// are still to run.
//
//go:noinline
func goOn(ctx context.Context, data Data, b *Bus, mode string, hs []handler, at int, err error) error {
	if len(hs) == 0 {
		return data.check(mode)
	}
	var errs []error
	for ; err != nil; at, err = run(ctx, data, hs) {
		err = b.failed(ctx, data, *hs[at].Handler, err)
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
		// Halfway up it has met all who take part. From there on, whoever is new is
		// outside the cycle.
		if cycle.levels < maxDepth/2 || slices.Contains(cycle.Handlers, h) {
			others := slices.DeleteFunc(slices.Clone(cycle.Handlers), func(o Handler) bool { return o == h })
			up := &CycleError{slices.Concat([]Handler{h}, others), cycle.levels + 1}
			out, err, logged = up, up, up.levels != maxDepth/2
		}
	}
	if b.log != nil && !logged {
		attrs := []slog.Attr{slog.String("domain", data.Domain), slog.String("action", data.Action),
			slog.String("handler", h.Name), slog.String("source", h.Source), slog.Any("err", err)}
		if p, ok := errors.AsType[*PanicError](err); ok {
			attrs = append(attrs, slog.String("stack", string(p.Stack)))
		}
		b.log.LogAttrs(ctx, slog.LevelError, "eventbus: handler failed", attrs...)
	}
	return out
}

// wrap applies mw, the first outermost.
func wrap(h Handler, fn Func, mw []Middleware) Func {
	for _, m := range slices.Backward(mw) {
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
	return fmt.Sprintf("%s/%s: handler %s: %v", e.Domain, e.Action, e.Handler.Name, e.Err)
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
func (e *PanicError) Unwrap() error { err, _ := e.Value.(error); return err }

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
	return fmt.Sprintf("eventbus: events set each other off without end: %.300v", fmt.Sprint(e.Handlers))
}

func (*CycleError) permanent() {}

const calm, maxDepth = 1, 1000

// tooDeep reports whether over maxDepth dispatches are nested on this goroutine.
// Only the stack can tell: a handler may pass on any context, and a count in one
// would cost each dispatch an allocation. In calm times one dispatch in 2,048
// asks; then the answer looks at the top of the stack, on while it finds a dispatch
// in every 256 frames, and one time in 16 at the whole stack. Where it is yes, all
// dispatches ask and look at the whole for a second: handlers that swallow the
// error and dispatch again would get ever deeper past a sample.
//
//go:noinline
func (b *Bus) tooDeep(state int64) bool {
	if state < time.Now().UnixNano() {
		b.state.CompareAndSwap(state, calm)
	}
	var first [256]uintptr
	for pcs := first[:]; ; pcs = make([]uintptr, 8*len(pcs)) {
		n, depth := runtime.Callers(0, pcs), 0
		for _, pc := range pcs[:n] {
			if runtime.FuncForPC(pc-1).Entry() == reflect.ValueOf(dispatch).Pointer() {
				depth++
			}
		}
		if depth > maxDepth {
			b.state.Store(time.Now().Add(time.Second).UnixNano())
			return true
		}
		if n < len(pcs) || state == calm && depth*len(first) < n && rand.N(16) > 0 {
			return false
		}
	}
}

// table is what is registered at one time. It never changes; its successor shares
// with it whatever stays the same, so that a registration copies little.
type table struct {
	root   [256]*[256]*pair     // by the hash of the key
	seq    uint64               // of the newest registration
	wild   int                  // how many registrations have an Any
	layers []map[string]handler // what each Intercept wraps dispatches in, by mode
}

type key struct{ domain, action string }

type pair struct {
	key
	handlers []handler
	next     *pair
}

type handler struct {
	fn  Func
	seq uint64
	*Handler
}

var seed = maphash.MakeSeed()

var empty, none = table{}, [256]*pair{}

func (b *Bus) current() *table { return cmp.Or(b.table.Load(), &empty) }

func (t *table) find(k key) []handler {
	hash := maphash.Comparable(seed, k)
	for p := cmp.Or(t.root[hash%256], &none)[hash/256%256]; p != nil; p = p.next {
		if p.key == k {
			return p.handlers
		}
	}
	return nil
}

// put makes the next table, with or without h.
func (b *Bus) put(h handler, with bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := *b.current()
	k := key{h.Domain, h.Action}
	hs := t.find(k)
	count := len(hs)
	if t.seq++; with {
		hs = append(hs, handler{h.fn, t.seq, h.Handler}) // older tables don't see behind their part of hs
	} else {
		hs = slices.DeleteFunc(slices.Clone(hs), func(o handler) bool { return o.Handler == h.Handler })
	}
	if h.Domain == Any || h.Action == Any {
		t.wild += len(hs) - count
	}
	hash := maphash.Comparable(seed, k)
	n := *cmp.Or(t.root[hash%256], &none)
	var pairs *pair
	for p := n[hash/256%256]; p != nil; p = p.next {
		if p.key != k {
			pairs = &pair{p.key, p.handlers, pairs}
		}
	}
	if len(hs) > 0 {
		pairs = &pair{k, hs, pairs}
	}
	n[hash/256%256] = pairs
	t.root[hash%256] = &n
	b.table.Store(&t)
}

// match appends to hs the handlers of data, wildcards and all; an event without
// a name has none.
func (t *table) match(data Data, hs []handler) []handler {
	keys := [...]key{{data.Domain, data.Action}, {data.Domain, Any}, {Any, data.Action}, {Any, Any}}
	for i, k := range keys {
		if !slices.Contains(keys[i+1:], k) && data.Domain != "" && data.Action != "" { // data may itself be named Any
			hs = append(hs, t.find(k)...)
		}
	}
	return inOrder(hs)
}

func inOrder(hs []handler) []handler {
	slices.SortFunc(hs, func(x, y handler) int { return cmp.Compare(x.seq, y.seq) })
	return hs
}

// funcName returns the name of fn as people write it, or nothing for nil. The
// linker has escaped the dots of a package's last element.
func funcName(fn any) string {
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	return strings.ReplaceAll(strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], "-fm"), "%2e", ".")
}

// callSite returns the place outside this package that called it.
func callSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for f, more := frames.Next(); ; f, more = frames.Next() {
		if more && strings.HasPrefix(f.Function, reflect.TypeFor[Bus]().PkgPath()+".") {
			continue
		}
		pkg := f.Function[:strings.LastIndexByte(f.Function, '/')+1]
		name, _, _ := strings.Cut(f.Function[len(pkg):], ".")
		return fmt.Sprintf("%s%s%s:%d", pkg, strings.ReplaceAll(name, "%2e", "."), f.File[strings.LastIndexByte(f.File, '/'):], f.Line)
	}
}
