package main

import (
	"slices"
	"strings"
	"unicode"
)

// near reports whether one event name is likely a slip of the other: letters
// swapped, dropped, added or changed, another case, plural, form or separator.
func near(a, b name) bool {
	if a == b || !a.known() || !b.known() || a.domain == wild || a.action == wild || b.domain == wild || b.action == wild {
		return false
	}
	if a.domain == b.action && a.action == b.domain {
		return true
	}
	return alike(a.domain, b.domain) && alike(a.action, b.action)
}

// alike reports whether two words are the same but for a slip.
func alike(a, b string) bool {
	if a == b {
		return true
	}
	if a == "" || b == "" {
		return false
	}
	x, y := plain(a), plain(b)
	if x == y {
		return true
	}
	if digits(x) != digits(y) { // created.v1 and created.v2 are two events
		return false
	}
	// Two different words that people use are two events, however near.
	if slices.Contains(words, x) && slices.Contains(words, y) {
		return stem(x) == stem(y)
	}
	for _, p := range []string{"un", "re", "pre", "dis", "de", "in", "non", "pre", "post", "auto"} {
		if p+x == y || p+y == x {
			return false
		}
	}
	if stem(x) == stem(y) && len(stem(x)) > 2 {
		return true
	}
	short := min(len([]rune(x)), len([]rune(y)))
	limit := 0
	switch {
	case short >= 6:
		limit = 2
	case short >= 3:
		limit = 1
	}
	if sorted(x) == sorted(y) && short >= 2 { // letters swapped
		limit = max(limit, 1)
	}
	return distance([]rune(x), []rune(y)) <= limit
}

// plain drops what separates the parts of a word, and its case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

func sorted(s string) string {
	r := []rune(s)
	slices.Sort(r)
	return string(r)
}

// stem drops the ending of a form: create, creates, created, creating.
func stem(s string) string {
	for _, end := range []string{"ing", "ed", "es", "e", "s", "d"} {
		if len(s) > len(end)+2 && strings.HasSuffix(s, end) {
			return strings.TrimSuffix(s, end)
		}
	}
	return s
}

// distance counts the letters inserted, dropped, changed or swapped with their
// neighbour (optimal string alignment).
func distance(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// words are the ones that events are often named with, and that are near another
// of them.
var words = strings.Fields(`
	accepted activated deactivated added approved archived assigned billed blocked unblocked booked canceled cancelled
	charged checked cleared clicked cloned closed completed confirmed connected disconnected created credited debited
	declined delayed deleted delivered denied disabled enabled dispatched downloaded drafted edited ended entered
	escalated expired exported failed filed filled finished fired flagged followed unfollowed forwarded fulfilled granted hired
	imported indexed invited issued joined killed left liked linked listed loaded locked unlocked logged login logout
	mailed marked matched merged missed moved muted named noted notified offered opened ordered packed paid parked passed
	paused picked pinned placed planned played posted ported printed processed promoted published pulled purged pushed
	queued quoted raised rated dated read received recorded refunded registered unregistered rejected released reloaded
	removed renamed renewed reopened replaced replied reported requested rescheduled reserved reset resent resolved
	restocked restored resumed retried returned reverted reviewed revoked rolled saved scheduled scored selected sent set
	settled shared shipped signed skipped sold solved sorted split started stopped stored submitted subscribed
	unsubscribed succeeded suspended synced tagged tested timed tracked transferred triggered updated uploaded upgraded
	downgraded used validated verified viewed visited voided voted warned withdrawn written get put post
	user users order orders item items cart card account accounts invoice invoices mail email
	customer customers product products payment payments shipment shipments stock store storage book booking
	test team term role rule site size page image message messages session sessions`)
