// Package middleware holds the wrappers that most buses want: a log line for
// each run of a handler, a deadline, a condition.
//
//	bus := eventbus.New(nil, middleware.Log(log, "request_id")) // every handler
//	bus.Register("order", "placed", mail.Confirm,
//		middleware.When(paid), middleware.Timeout(5*time.Second)) // this one
//
// The first wraps the others: here a handler that isn't run for want of payment
// is logged as run, and one that runs out of time is logged with that error.
//
// A wrapper of your own is a function as short as theirs. Conditions combine by
// Go's own && and ||. All are safe for concurrent use and start no goroutine:
// the handler runs on its caller's, and has returned when the wrapper does.
package middleware
