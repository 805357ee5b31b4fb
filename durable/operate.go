package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"example.com/eventbus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// State is where a reaction stands.
type State string

// The states, each with River's.
const (
	Waiting  State = "waiting"  // for a worker, its time, or its name to be registered: available, pending, scheduled
	Running  State = "running"  // now, or when its process died: running
	Retrying State = "retrying" // failed, and waits for its next run: retryable
	GivenUp  State = "given_up" // failed for good, or discarded: discarded, cancelled
	Done     State = "done"     // completed; River deletes it after CompletedJobRetentionPeriod
)

var allStates = []State{Waiting, Running, Retrying, GivenUp, Done}

var states = map[State][]rivertype.JobState{
	Waiting:  {rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateScheduled},
	Running:  {rivertype.JobStateRunning},
	Retrying: {rivertype.JobStateRetryable},
	GivenUp:  {rivertype.JobStateDiscarded, rivertype.JobStateCancelled},
	Done:     {rivertype.JobStateCompleted},
}

// Filter selects reactions: those that fit all its fields. A zero field fits
// all.
type Filter struct {
	ID       int64
	Reaction string // the name; jobs under its aliases fit too, where it is registered with this client
	States   []State
}

// Count returns how many reactions fit f, for each state of f.States, or of all
// where that is nil; it is 0 where there are none.
func (c *Client[TTx]) Count(ctx context.Context, f Filter) (map[State]int, error) {
	of := allStates
	if f.States != nil {
		of = f.States
	}
	counts := map[State]int{}
	if len(of) == 0 {
		return counts, nil
	}
	var columns []string
	for _, s := range of {
		columns = append(columns, "count(CASE WHEN "+isIn(s)+" THEN 1 END)")
	}
	table := "river_job"
	if c.schema != "" {
		table = c.schema + "." + table
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + table + " WHERE kind = '" + kind + "'"
	var values []any
	if f.ID != 0 {
		values = append(values, f.ID)
		query += fmt.Sprintf(" AND id = $%d", len(values))
	}
	if names := c.names(f.Reaction); len(names) > 0 {
		var marks []string
		for _, n := range names {
			values = append(values, n)
			marks = append(marks, fmt.Sprintf("$%d", len(values)))
		}
		query += " AND args ->> 'reaction' IN (" + strings.Join(marks, ", ") + ")"
	}
	ns := make([]int, len(of))
	into := make([]any, len(of))
	for i := range ns {
		into[i] = &ns[i]
	}
	if err := c.river.Driver().GetExecutor().QueryRow(ctx, query, values...).Scan(into...); err != nil {
		return nil, fmt.Errorf("durable: count reactions: %w", err)
	}
	for i, s := range of {
		counts[s] = ns[i]
	}
	return counts, nil
}

// List returns the reactions that fit f, in the order in which they were stored.
// It reads them by pages, so one that changes meanwhile may come in either state,
// or not at all. An error ends the iteration.
func (c *Client[TTx]) List(ctx context.Context, f Filter) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for row, err := range c.rows(ctx, f) {
			var job Job
			if err == nil {
				job, err = jobOf(row)
			}
			if err != nil {
				yield(Job{}, fmt.Errorf("durable: list reactions: %w", err))
				return
			}
			if !yield(job, nil) {
				return
			}
		}
	}
}

// Retry makes the reactions that fit f due now, and returns how many. One that
// is given up gets another attempt if it has none left. Running ones are left
// alone, and done ones too, unless f.States names Done. A Filter without ID and
// Reaction is refused.
func (c *Client[TTx]) Retry(ctx context.Context, f Filter) (int, error) {
	return c.each(ctx, "retry", f, []State{Waiting, Retrying, GivenUp}, func(row *rivertype.JobRow) error {
		_, err := c.river.JobRetry(ctx, row.ID)
		return err
	})
}

// Discard gives up the reactions that fit f, and returns how many. One that is
// running is given up when it returns an error; on PostgreSQL its context ends at
// once, on SQLite River doesn't tell it. Those given up or done are left alone. A
// Filter without ID and Reaction is refused.
func (c *Client[TTx]) Discard(ctx context.Context, f Filter) (int, error) {
	return c.each(ctx, "discard", f, []State{Waiting, Running, Retrying}, func(row *rivertype.JobRow) error {
		_, err := c.river.JobCancel(ctx, row.ID)
		return err
	})
}

// Purge deletes the reactions that were done or given up longer than age ago, and
// returns how many.
func (c *Client[TTx]) Purge(ctx context.Context, age time.Duration) (int, error) {
	const page = 1000
	before, n := time.Now().Add(-age), 0
	params := river.NewJobListParams().Kinds(kind).First(page).
		OrderBy(river.JobListOrderByFinalizedAt, river.SortOrderAsc).
		States(rivertype.JobStateCancelled, rivertype.JobStateCompleted, rivertype.JobStateDiscarded)
	for {
		list, err := c.river.JobList(ctx, params)
		if err != nil {
			return n, fmt.Errorf("durable: purge: %w", err)
		}
		var ids []int64
		for _, row := range list.Jobs {
			if row.FinalizedAt != nil && row.FinalizedAt.Before(before) {
				ids = append(ids, row.ID)
			}
		}
		if len(ids) > 0 {
			gone, err := c.river.JobDeleteMany(ctx, river.NewJobDeleteManyParams().IDs(ids...).First(page).
				States(rivertype.JobStateCancelled, rivertype.JobStateCompleted, rivertype.JobStateDiscarded))
			if err != nil {
				return n, fmt.Errorf("durable: purge: %w", err)
			}
			n += len(gone.Jobs)
		}
		if len(ids) < page {
			return n, nil
		}
	}
}

// each calls do for the reactions that fit f in one of the states of, or in those
// that f names.
func (c *Client[TTx]) each(ctx context.Context, doing string, f Filter, of []State, do func(*rivertype.JobRow) error) (int, error) {
	if f.ID == 0 && f.Reaction == "" {
		return 0, fmt.Errorf("durable: %s reactions: give an id or the name of a reaction", doing)
	}
	if f.States == nil {
		f.States = of
	}
	n := 0
	for row, err := range c.rows(ctx, f) {
		if err == nil {
			err = do(row)
		}
		switch {
		case errors.Is(err, rivertype.ErrNotFound): // deleted since
		case err != nil:
			return n, fmt.Errorf("durable: %s reactions: %w", doing, err)
		default:
			n++
		}
	}
	return n, nil
}

func (c *Client[TTx]) rows(ctx context.Context, f Filter) iter.Seq2[*rivertype.JobRow, error] {
	return func(yield func(*rivertype.JobRow, error) bool) {
		const page = 500
		params := river.NewJobListParams().Kinds(kind).First(page)
		if f.ID != 0 {
			params = params.IDs(f.ID)
		}
		if f.States != nil {
			var all []rivertype.JobState
			for _, s := range f.States {
				all = append(all, states[s]...)
			}
			if len(all) == 0 {
				return
			}
			params = params.States(all...)
		}
		if names := c.names(f.Reaction); len(names) > 0 {
			var marks []string
			values := river.NamedArgs{}
			for i, n := range names {
				name := fmt.Sprintf("reaction_%d", i)
				values[name] = n
				marks = append(marks, "@"+name)
			}
			params = params.Where("args ->> 'reaction' IN ("+strings.Join(marks, ", ")+")", values)
		}
		for first := params; ; {
			list, err := c.river.JobList(ctx, params)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range list.Jobs {
				if !yield(row, nil) {
					return
				}
			}
			if len(list.Jobs) < page {
				return
			}
			params = first.After(list.LastCursor)
		}
	}
}

// names returns the name and the aliases of the reaction of that name.
func (c *Client[TTx]) names(name string) []string {
	if name == "" {
		return nil
	}
	if r := c.reaction(name); r != nil {
		return r.names
	}
	return []string{name}
}

// isIn is SQL for a job in state s.
func isIn(s State) string {
	tests := []string{"false"}
	for _, state := range states[s] {
		tests = append(tests, "state = '"+string(state)+"'")
	}
	return strings.Join(tests, " OR ")
}

func jobOf(row *rivertype.JobRow) (Job, error) {
	var a args
	if err := json.Unmarshal(row.EncodedArgs, &a); err != nil {
		return Job{}, fmt.Errorf("job %d: its arguments are none of this package's (%T)", row.ID, err)
	}
	return newJob(row, a), nil
}

func newJob(row *rivertype.JobRow, a args) Job {
	job := Job{
		ID: row.ID, Key: a.Event.Key, Reaction: a.Reaction, Metadata: a.Event.Metadata, Time: a.Event.Time,
		Event:   eventbus.Data{Domain: a.Event.Domain, Action: a.Event.Action, RawParams: a.Event.Params},
		Attempt: row.Attempt, MaxAttempts: row.MaxAttempts, NextRun: row.ScheduledAt,
	}
	for s, all := range states {
		if slices.Contains(all, row.State) {
			job.State = s
		}
	}
	if n := len(row.Errors); n > 0 {
		job.LastError = row.Errors[n-1].Error
	}
	return job
}
