//go:build linux

package udmabuf

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// device opens /dev/udmabuf, or skips saying what is missing.
func device(t *testing.T) *Device {
	t.Helper()
	d, err := Open()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// memfd makes one of some pages.
func memfd(t *testing.T, pages, flags, seals int) *Memfd {
	t.Helper()
	m, err := NewMemfd(pages*os.Getpagesize(), flags, seals)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

const rw = unix.PROT_READ | unix.PROT_WRITE
