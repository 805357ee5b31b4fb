module corpus.test

go 1.26.0

require bus.test/eventbus v1.0.0
