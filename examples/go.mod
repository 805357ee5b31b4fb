module example.com/eventbus/examples

go 1.26.0

require (
	example.com/eventbus v0.0.0
	github.com/google/go-cmp v0.7.0
	github.com/lmittmann/tint v1.2.1
)

replace example.com/eventbus => ../
