module example.com/eventbus

go 1.26.0

require github.com/google/go-cmp v0.7.0

require github.com/lmittmann/tint v1.2.1
