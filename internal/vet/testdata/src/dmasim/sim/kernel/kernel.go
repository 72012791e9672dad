// Package kernel stands for the real one.
package kernel

type (
	Task          struct{}
	Mem           struct{ state int }
	Mutex         struct{ owner *Task }
	Field[T any]  struct{ v T }
	Shared[T any] struct{ v T }
	RCU[T any]    struct{ p *T }
)

func (f *Field[T]) Set(t *Task, v T)    {}
func (s *Shared[T]) Store(t *Task, v T) {}
func (m *Mutex) Lock(t *Task)           {}
