// Package patterns shows what users of event buses ask for, each as an example
// with checked output: see its tests. Most are a few lines of plain Go round a
// handler, and so no part of any package.
package patterns
