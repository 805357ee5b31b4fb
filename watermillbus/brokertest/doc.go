// Package brokertest holds the tests of package watermillbus on real brokers: NATS
// JetStream, in process, and Redis Streams, on a redis-server that the tests start.
// Kafka's part is tested without a broker: that the types fit, and that an event
// survives Watermill's way to write a Kafka record and to read one.
//
// It is a module of its own. A require in the go.mod of watermillbus would raise
// versions for everyone who uses that, and who speaks to NATS has no business with
// the clients of Redis and Kafka.
package brokertest
