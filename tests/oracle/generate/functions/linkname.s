// This file lets the compiler accept a function without a body: see go:linkname in main.go.
