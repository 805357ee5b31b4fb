module example.com/eventbus/examples

go 1.26.0

require (
	example.com/eventbus v0.0.0
	example.com/eventbus/resilience v0.0.0
	github.com/google/go-cmp v0.7.0
	github.com/lmittmann/tint v1.2.1
)

require (
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/failsafe-go/failsafe-go v0.9.8
)

replace example.com/eventbus => ../

replace example.com/eventbus/resilience => ../resilience
