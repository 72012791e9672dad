// Package sim stands for the real one.
package sim

type Object struct{}
