package iter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/kernel"
)

func TestImport(t *testing.T) {
	for name, c := range map[string]struct {
		vecs []Iovec
		err  kernel.Errno
		typ  Type
		want at
	}{
		"none":            {nil, kernel.OK, ITER_IOVEC, at{0, 0, 0}},
		"one":             {[]Iovec{{4096, 10}}, kernel.OK, ITER_UBUF, at{1, 0, 10}},
		"two":             {[]Iovec{{4096, 10}, {1, 2}}, kernel.OK, ITER_IOVEC, at{2, 0, 12}},
		"one too long":    {[]Iovec{{4096, 1 << 40}}, kernel.OK, ITER_UBUF, at{1, 0, MaxRWCount}},
		"two too long":    {[]Iovec{{4096, MaxRWCount - 1}, {4096, 9}, {4096, 9}}, kernel.OK, ITER_IOVEC, at{3, 0, MaxRWCount}},
		"negative":        {[]Iovec{{4096, 1}, {4096, 1 << 63}}, kernel.EINVAL, 0, at{}},
		"too many":        {make([]Iovec, UIO_MAXIOV+1), kernel.EINVAL, 0, at{}},
		"as many as may":  {make([]Iovec, UIO_MAXIOV), kernel.OK, ITER_IOVEC, at{UIO_MAXIOV, 0, 0}},
		"kernel memory":   {[]Iovec{{pageOffset, 10}}, kernel.EFAULT, 0, at{}},
		"one of them is":  {[]Iovec{{4096, 1}, {pageOffset, 10}}, kernel.EFAULT, 0, at{}},
		"across the end":  {[]Iovec{{taskSize - 5, 6}}, kernel.EFAULT, 0, at{}},
		"up to the end":   {[]Iovec{{taskSize - 5, 5}}, kernel.OK, ITER_UBUF, at{1, 0, 5}},
		"around the zero": {[]Iovec{{1<<64 - 5, 6}, {}}, kernel.EFAULT, 0, at{}},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				i, err := ImportIovec(k, in, nil, c.vecs)
				require.Equal(t, c.err, err)
				if err == kernel.OK {
					require.Equal(t, c.typ, i.Type)
					require.Equal(t, c.want, i.at())
				}
			})
		})
	}
	passes(t, func(k *kernel.Task) {
		vecs := []Iovec{{4096, MaxRWCount}, {4096, 5}}
		i, _ := ImportIovec(k, in, nil, vecs)
		require.EqualValues(t, 5, vecs[1].Len, "what the user has stays as it is")
		require.Zero(t, i.iovecs[1].Len)
	})
}
