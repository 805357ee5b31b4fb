// Command bench measures the bus beside other ways to do the same work, on one
// machine and in one run, and prints the ratios as Markdown:
//
//	go run ./bench                    # about two minutes
//	go run ./bench -short             # half a minute, rough
//	go run ./bench -svg bench.svg     # and draws them
//
// The contestants of a lane are measured in turns of some milliseconds, in many
// rounds, each of which starts with another contestant. A ratio is the median of
// the rounds' ratios, so that a machine which is busy for a while changes little.
// Nothing here fails because something is slow.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	short := flag.Bool("short", false, "take half a minute, for rough numbers")
	svg := flag.String("svg", "", "draw the ratios into this `file` as well")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	perLane := 6 * time.Second
	if *short {
		perLane /= 10
	}
	r := measure(perLane, os.Stderr)
	r.print(os.Stdout)
	if *svg != "" {
		if err := os.WriteFile(*svg, r.draw(), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "bench: draw the ratios:", err)
			os.Exit(1)
		}
	}
}

// results are what was measured.
type results struct {
	ns      map[cell][]float64 // what one thing took in each round, in ns
	changes float64            // how many registrations came and went in a second of lane (h)
}

type cell struct{ lane, contestant string }

func measure(perLane time.Duration, progress io.Writer) results {
	r := results{ns: map[cell][]float64{}}
	for _, group := range groups {
		for _, l := range group {
			fmt.Fprintf(progress, "(%s) %s\n", l.name, l.title)
		}
		r.measure(group, perLane*time.Duration(len(group)))
	}
	return r
}

// turnTime is about how long a contestant works on a lane before the next one's
// turn: long enough to collect its own garbage in.
const turnTime = 20 * time.Millisecond

// measure measures a group of lanes, in turns, for about the given time.
func (r *results) measure(group []lane, total time.Duration) {
	type turn struct {
		lane
		contestant string
		work
		n int
	}
	var turns [][]turn // by contestant
	for _, c := range contestants {
		var ts []turn
		for _, l := range group {
			if !slices.Contains(c.absent, l.name) {
				w := l.prepare(l, c, nothing)
				defer w.close()
				ts = append(ts, turn{l, c.name, w, times(w, turnTime)})
				if w.changes != nil {
					w.changes.Store(0)
				}
			}
		}
		turns = append(turns, ts)
	}
	runtime.GC()
	var changes, seconds float64
	start := time.Now()
	for round := 0; round < 5 || time.Since(start) < total; round++ {
		for i := range turns {
			for _, t := range turns[(round+i)%len(turns)] {
				d := t.do(t.n)
				to := cell{t.name, t.contestant}
				r.ns[to] = append(r.ns[to], float64(d.Nanoseconds())/float64(t.n*t.unit))
				if t.changes != nil {
					changes += float64(t.changes.Swap(0))
					seconds += d.Seconds()
				}
			}
		}
	}
	if seconds > 0 {
		r.changes = changes / seconds
	}
}

// times returns how often w is done in about d.
func times(w work, d time.Duration) int {
	for n := 1; ; n *= 4 {
		if took := w.do(n); took >= d/4 {
			return max(1, int(float64(n)*float64(d)/float64(took)))
		}
	}
}

// of returns the median of what x took, in ns, or false where x took no part.
func (r results) of(x cell) (float64, bool) { return median(r.ns[x]) }

// ratio returns the median of x to y.
func (r results) ratio(x, y cell) (float64, bool) {
	var ratios []float64
	for i := range min(len(r.ns[x]), len(r.ns[y])) {
		ratios = append(ratios, r.ns[x][i]/r.ns[y][i])
	}
	return median(ratios)
}

func median(xs []float64) (float64, bool) {
	if len(xs) == 0 {
		return 0, false
	}
	xs = slices.Sorted(slices.Values(xs))
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2, true
}

func (r results) print(w io.Writer) {
	fmt.Fprintf(w, "%s %s/%s, %d cores. What the floor takes, and how many times as long the others take:\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	head, rule := "| lane | floor, ns |", "| --- | ---: |"
	for _, c := range contestants {
		if c.name != theFloor {
			head, rule = head+" "+c.name+" |", rule+" ---: |"
		}
	}
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	for _, l := range lanes() {
		floor, _ := r.of(cell{l.name, theFloor})
		fmt.Fprintf(w, "| (%s) %s | %s |", l.name, l.title, short(floor))
		for _, c := range contestants {
			if c.name == theFloor {
				continue
			}
			text := "–"
			if x, ok := r.ratio(cell{l.name, c.name}, cell{l.name, theFloor}); ok {
				text = short(x)
			}
			fmt.Fprintf(w, " %s |", text)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nIn (h) %.0f registrations came and went in a second.\n", r.changes)
	for _, c := range contestants {
		if c.absent != nil {
			fmt.Fprintf(w, "%s can't take part in (%s): %s.\n", c.name, strings.Join(c.absent, "), ("), c.why)
		}
	}
	fmt.Fprintln(w)
	fmt.Fprint(w, "| target | wanted | measured | |\n| --- | --- | ---: | --- |\n")
	for _, t := range r.targets() {
		verdict := "not met"
		if t.met {
			verdict = "met"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", t.title, t.wanted, t.measured, verdict)
	}
}

// short returns x with as many digits as mean something.
func short(x float64) string {
	switch {
	case x < 9.995:
		return fmt.Sprintf("%.2f", x)
	case x < 99.95:
		return fmt.Sprintf("%.1f", x)
	}
	return whole(x)
}

// whole returns x with commas and no fraction.
func whole(x float64) string {
	digits := fmt.Sprintf("%.0f", x)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

type target struct {
	title, wanted, measured string
	met                     bool
}

// targets compares with what the project has promised itself.
func (r results) targets() []target {
	bus := func(lane string) cell { return cell{lane, theBus} }
	floor := func(lane string) cell { return cell{lane, theFloor} }
	var ts []target
	atMost := func(title string, limit float64, x, y cell, note string) {
		ratio, _ := r.ratio(x, y)
		ts = append(ts, target{title, fmt.Sprintf("≤ %.3g ×", limit), short(ratio) + " ×" + note, ratio <= limit})
	}
	atLeast := func(title string, limit float64, x, y cell, note string) {
		ratio, _ := r.ratio(x, y)
		ts = append(ts, target{title, fmt.Sprintf("≥ %.3g ×", limit), short(ratio) + " ×" + note, ratio >= limit})
	}
	atMost("(a) the floor", 2, bus("a"), floor("a"), "")
	atMost("(a) the floor, a wish", 1.5, bus("a"), floor("a"), "")
	atMost("(a60) the floor", 2, bus("a60"), floor("a60"), "")
	atLeast("(a) faster than the usual bus", 2, cell{"a", theUsual}, bus("a"), "")
	for _, c := range contestants {
		if c.byName {
			atLeast("(a) faster than "+c.name, 1, cell{"a", c.name}, bus("a"), "")
		}
	}
	atMost("(c100) the floor", 1.3, bus("c100"), floor("c100"), "")
	atMost("(d10000) the floor", 1.3, bus("d10000"), floor("d10000"), "")
	scaling, _ := r.ratio(floor("e1"), floor("e"))
	atLeast("(e) throughput of one core", 1.8, bus("e1"), bus("e"), fmt.Sprintf(" (the floor: %s ×)", short(scaling)))
	slowdown, _ := r.ratio(floor("h"), floor("e"))
	atMost("(h) of its own (e)", 1.5, bus("h"), bus("e"), fmt.Sprintf(" (the floor: %s ×)", short(slowdown)))
	atMost("(g10000) of its own (g100)", 3, bus("g10000"), bus("g100"), "")
	return ts
}
