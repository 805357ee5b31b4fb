// Package brokertest holds the tests of package watermillbus on real brokers: NATS
// JetStream, in process, and Redis Streams, on a redis-server that the tests start.
// Kafka's part is tested without a broker: that the types fit, and that an event
// survives Watermill's way to write a Kafka record and to read one.
//
// TestOutbox puts package durable before the broker, and 1,000 events through both
// while the NATS server is stopped and started again, twice. In full it takes
// 10,000:
//
//	go test . -run Outbox -v -full
//
// Its last run, on two cores that others shared: dispatched in 32 s, one
// transaction each, with all acked after 42 s; 15,341 forwards failed and were
// tried again, 109 succeeded and were done again; none of the events lost, none in
// the stream twice, none delivered twice; 4,542 came after a younger one of their
// key.
//
// It is a module of its own. A require in the go.mod of watermillbus would raise
// versions for everyone who uses that, and who speaks to NATS has no business with
// the clients of Redis and Kafka.
package brokertest
