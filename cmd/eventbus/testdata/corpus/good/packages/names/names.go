// Package names has the names of events, and does not know the bus.
package names

const User = "user"

const Created = "created"

var Orders = struct{ Domain, Placed string }{"order", "placed"}

func Past(verb string) string { return verb + "ed" }
