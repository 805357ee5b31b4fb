package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"text/template"
)

// The lanes and contestants that fit into a picture.
var (
	drawnLanes       = []string{"a", "c100", "d10000", "e", "h", "f5"}
	drawnContestants = []string{theBus, theUsual, "asaskevich/EventBus", "cskr/pubsub", "tailscale eventbus", "watermill gochannel"}
)

// Of the picture, in its own units.
const (
	columns     = 2
	panelWidth  = 440
	panelHeight = 182
	header      = 60
	barsLeft    = 152 // from the left of a panel
	barsWidth   = 205
	barStep     = 21
)

type panel struct {
	X, Y  int
	Title string
	Ticks []tick
	Bars  []bar
}

type tick struct {
	X    int
	Text string
}

type bar struct {
	Y, Width, TextX int
	Name, Text      string
	Ours            bool
}

// draw returns an SVG of the ratios to the floor.
func (r results) draw() []byte {
	longest := 10.0
	for _, l := range drawnLanes {
		for _, c := range drawnContestants {
			x, _ := r.ratio(cell{l, c}, cell{l, theFloor})
			longest = max(longest, x)
		}
	}
	// What takes as long as the floor has a short bar, so that it can be seen.
	width := func(ratio float64) int {
		return int(4 + (barsWidth-4)*max(0, math.Log(ratio)/math.Log(longest)))
	}
	var panels []panel
	for i, name := range drawnLanes {
		l := lanes()[slices.IndexFunc(lanes(), func(l lane) bool { return l.name == name })]
		p := panel{
			X: i % columns * panelWidth, Y: header + i/columns*panelHeight,
			Title: fmt.Sprintf("(%s) %s", l.name, l.title),
		}
		for x := 1.0; x <= longest; x *= 10 {
			p.Ticks = append(p.Ticks, tick{barsLeft + width(x), whole(x) + " ×"})
		}
		for j, c := range drawnContestants {
			b := bar{Y: 14 + j*barStep, Name: c, Text: "can't take part", Ours: c == theBus}
			if x, ok := r.ratio(cell{l.name, c}, cell{l.name, theFloor}); ok {
				b.Width, b.Text = width(x), short(x)+" ×"
			}
			b.TextX = barsLeft + b.Width + 6
			p.Bars = append(p.Bars, b)
		}
		panels = append(panels, p)
	}
	var out bytes.Buffer
	check(picture.Execute(&out, map[string]any{
		"Panels": panels, "BarsLeft": barsLeft, "BarsRight": barsLeft + barsWidth, "Axis": 14 + len(drawnContestants)*barStep,
		"Width": columns * panelWidth, "Height": header + (len(panels)+columns-1)/columns*panelHeight - 20,
	}))
	return out.Bytes()
}

var picture = template.Must(template.New("").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" width="{{.Width}}" height="{{.Height}}" role="img" aria-labelledby="title">
<title id="title">How many times as long as the floor each bus takes</title>
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #57606a }
.head { font-size: 15px; font-weight: 600; fill: #1f2328 }
.lane, .ours { font-weight: 600; fill: #1f2328 }
.small { font-size: 10px }
rect { fill: #afb8c1 }
rect.ours { fill: #0969da }
line, path { stroke: #afb8c1 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.head, .lane, .ours { fill: #f0f6fc }
rect { fill: #656c76 }
rect.ours { fill: #4493f8 }
line, path { stroke: #656c76 }
}
</style>
<text x="14" y="22" class="head">Time for the same work, as a multiple of the floor</text>
<text x="14" y="41">The floor: a look-up in a map that never changes, and the calls. Shorter is better; the scale is logarithmic.</text>
{{range .Panels}}<g transform="translate({{.X}} {{.Y}})">
<text x="14" y="4" class="lane">{{.Title}}</text>
<line x1="{{$.BarsLeft}}" y1="{{$.Axis}}" x2="{{$.BarsRight}}" y2="{{$.Axis}}"/>
{{range .Ticks}}<path d="M{{.X}} {{$.Axis}}v4"/><text x="{{.X}}" y="{{$.Axis}}" dy="14" text-anchor="middle" class="small">{{.Text}}</text>
{{end}}{{range .Bars}}<text x="{{$.BarsLeft}}" y="{{.Y}}" dx="-8" dy="12" text-anchor="end"{{if .Ours}} class="ours"{{end}}>{{.Name}}</text>{{if .Width}}<rect x="{{$.BarsLeft}}" y="{{.Y}}" width="{{.Width}}" height="15" rx="2"{{if .Ours}} class="ours"{{end}}/>{{end}}<text x="{{.TextX}}" y="{{.Y}}" dy="12"{{if .Ours}} class="ours"{{end}}>{{.Text}}</text>
{{end}}</g>
{{end}}</svg>
`))
