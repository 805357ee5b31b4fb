package durable_test

func child(role string) {}
