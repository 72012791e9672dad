package iter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/kernel"
)

func TestKiocb(t *testing.T) {
	require.True(t, (&Kiocb{Flags: IOCB_NOWAIT | 1}).Nowait())
	require.False(t, (&Kiocb{Flags: 1}).Nowait())
	require.True(t, (&Kiocb{}).Sync())
	require.False(t, (&Kiocb{Complete: func(*kernel.Task, int64) {}}).Sync())
	require.EqualValues(t, -11, Neg(kernel.EAGAIN))
}

func TestIocbFlags(t *testing.T) {
	for flags, want := range map[uint32]uint32{
		O_RDWR | O_NONBLOCK: 0,
		O_DIRECT:            IOCB_DIRECT,
		O_APPEND | O_WRONLY: IOCB_APPEND,
		O_DSYNC:             IOCB_DSYNC,
		O_SYNC | O_DIRECT:   IOCB_SYNC | IOCB_DSYNC | IOCB_DIRECT,
	} {
		f := &File{Flags: flags}
		require.Equal(t, want, f.IocbFlags(nil), "%#o", flags)
		require.Equal(t, flags&O_DIRECT != 0, f.Direct(nil))
	}
}

func TestSetRWFlags(t *testing.T) {
	file := &File{Mode: FMODE_NOWAIT | FMODE_CAN_ATOMIC_WRITE}
	for name, c := range map[string]struct {
		file   *File
		before uint32
		rwf    uint32
		write  bool
		err    kernel.Errno
		after  uint32
	}{
		"nothing":                 {file, IOCB_DIRECT, 0, false, kernel.OK, IOCB_DIRECT},
		"no wait":                 {file, IOCB_DIRECT, RWF_NOWAIT, false, kernel.OK, IOCB_DIRECT | IOCB_NOWAIT},
		"no wait without support": {&File{}, IOCB_DIRECT, RWF_NOWAIT, false, kernel.EOPNOTSUPP, IOCB_DIRECT},
		"polled":                  {file, 0, RWF_HIPRI, true, kernel.OK, IOCB_HIPRI},
		"sync is also dsync":      {file, 0, RWF_SYNC, true, kernel.OK, IOCB_SYNC | IOCB_DSYNC},
		"atomic":                  {file, 0, RWF_ATOMIC, true, kernel.OK, IOCB_ATOMIC},
		"atomic read":             {file, 0, RWF_ATOMIC, false, kernel.EOPNOTSUPP, 0},
		"atomic without support":  {&File{Mode: FMODE_NOWAIT}, 0, RWF_ATOMIC, true, kernel.EOPNOTSUPP, 0},
		"append and not":          {file, 0, RWF_APPEND | RWF_NOAPPEND, true, kernel.EINVAL, 0},
		"not append":              {file, IOCB_APPEND, RWF_NOAPPEND, true, kernel.OK, RWF_NOAPPEND},
		"unknown":                 {file, 0, 1 << 12, true, kernel.EOPNOTSUPP, 0},
	} {
		k := &Kiocb{File: c.file, Flags: c.before}
		require.Equal(t, c.err, k.SetRWFlags(c.rwf, c.write), name)
		require.Equal(t, c.after, k.Flags, name)
	}
}
