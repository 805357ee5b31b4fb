package queue

import "slices"

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

// node returns a node for j.
func (l *line) node(j *job) *node {
	n := l.free
	if n == nil {
		n = new(node)
	}
	l.free, n.next = n.next, nil
	n.job = *j
	return n
}

// recycle takes back a node that was popped and cleared.
func (l *line) recycle(n *node) { n.next, l.free = l.free, n }

// push adds j after the others of its priority.
func (l *line) push(priority int, j *job) {
	i := len(l.levels)
	for i > 0 && l.levels[i-1].priority > priority {
		i--
	}
	if i > 0 && l.levels[i-1].priority == priority {
		i--
	} else {
		l.levels = slices.Insert(l.levels, i, level{priority: priority})
	}
	l.levels[i].push(l.node(j))
	l.len++
}

// highest pops the first job of the highest priority, nil if there is none.
func (l *line) highest() *node {
	if l.len == 0 {
		return nil
	}
	return l.pop(len(l.levels) - 1)
}

// oldest pops the job that was accepted first, nil if there is none. Within its
// level that is the first.
func (l *line) oldest() *node {
	if l.len == 0 {
		return nil
	}
	at := 0
	for i, v := range l.levels {
		if v.head.seq < l.levels[at].head.seq {
			at = i
		}
	}
	return l.pop(at)
}

func (l *line) pop(i int) *node {
	n := l.levels[i].pop()
	if l.levels[i].head == nil {
		l.levels = slices.Delete(l.levels, i, i+1)
	}
	l.len--
	return n
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
