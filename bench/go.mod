module example.com/eventbus/bench

go 1.26.0

require example.com/eventbus v0.0.0

replace example.com/eventbus => ../
