package queue

import (
	"math"
	"slices"
)

// line holds jobs by priority, in as many levels as there are priorities that
// wait, usually a handful. It reuses its nodes.
type line struct {
	levels []level // the highest priority last; none is empty
	len    int
	free   *node
}

type level struct {
	priority int
	fifo
}

// push adds j after the others of its priority.
func (l *line) push(priority int, j *job) {
	n := l.free
	if n != nil {
		l.free, n.next = n.next, nil
	} else {
		n = new(node)
	}
	n.job = *j
	i := len(l.levels)
	for i > 0 && l.levels[i-1].priority > priority {
		i--
	}
	if i > 0 && l.levels[i-1].priority == priority {
		i--
	} else {
		l.levels = slices.Insert(l.levels, i, level{priority: priority})
	}
	l.levels[i].push(n)
	l.len++
}

// highest moves the first job of the highest priority to j, and reports whether
// there is one.
func (l *line) highest(j *job) bool {
	if l.len == 0 {
		return false
	}
	l.pop(len(l.levels)-1, j)
	return true
}

// oldest moves the job that was accepted first to j, and reports whether there is
// one.
func (l *line) oldest(j *job) bool {
	if l.len == 0 {
		return false
	}
	at, seq := 0, uint64(math.MaxUint64)
	for i := range l.levels {
		if first := l.levels[i].head; first.seq < seq { // the oldest of its level
			at, seq = i, first.seq
		}
	}
	l.pop(at, j)
	return true
}

func (l *line) pop(i int, j *job) {
	n := l.levels[i].pop()
	if l.levels[i].head == nil {
		l.levels = slices.Delete(l.levels, i, i+1)
	}
	l.len--
	*j, n.job = n.job, job{}
	n.next, l.free = l.free, n
}

// fifo is a list, first in, first out.
type fifo struct{ head, tail *node }

type node struct {
	job
	next *node

	// Of a producer that waits for room:
	priority int
	answer   chan error // has room for one: nil for accepted
}

func (f *fifo) push(n *node) {
	if f.head == nil {
		f.head = n
	} else {
		f.tail.next = n
	}
	f.tail = n
}

// pop removes the first node, nil if there is none.
func (f *fifo) pop() *node {
	n := f.head
	if n != nil {
		f.head, n.next = n.next, nil
	}
	return n
}

// remove reports whether n was there.
func (f *fifo) remove(n *node) bool {
	var last *node
	for at := f.head; at != nil; last, at = at, at.next {
		if at != n {
			continue
		}
		if last == nil {
			f.head = n.next
		} else {
			last.next = n.next
		}
		if f.tail == n {
			f.tail = last
		}
		n.next = nil
		return true
	}
	return false
}
