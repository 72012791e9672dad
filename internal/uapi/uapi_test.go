package uapi

import (
	"errors"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The sizes and offsets are those that a C compiler gives for the kernel's headers.
func TestLayout(t *testing.T) {
	for name, c := range map[string][2]uintptr{
		"io_uring_sqe":                 {unsafe.Sizeof(IoUringSqe{}), 64},
		"io_uring_sqe.user_data":       {unsafe.Offsetof(IoUringSqe{}.UserData), 32},
		"io_uring_sqe.buf_index":       {unsafe.Offsetof(IoUringSqe{}.BufIndex), 40},
		"io_uring_sqe.file_index":      {unsafe.Offsetof(IoUringSqe{}.FileIndex), 44},
		"io_uring_cqe":                 {unsafe.Sizeof(IoUringCqe{}), 16},
		"io_uring_params":              {unsafe.Sizeof(IoUringParams{}), 120},
		"io_uring_params.features":     {unsafe.Offsetof(IoUringParams{}.Features), 20},
		"io_uring_params.sq_off":       {unsafe.Offsetof(IoUringParams{}.SqOff), 40},
		"io_uring_params.cq_off":       {unsafe.Offsetof(IoUringParams{}.CqOff), 80},
		"io_uring_getevents_arg":       {unsafe.Sizeof(IoUringGeteventsArg{}), 24},
		"io_uring_rsrc_update":         {unsafe.Sizeof(IoUringRsrcUpdate{}), 16},
		"io_uring_rsrc_update2":        {unsafe.Sizeof(IoUringRsrcUpdate2{}), 32},
		"io_uring_rsrc_register":       {unsafe.Sizeof(IoUringRsrcRegister{}), 32},
		"io_uring_probe":               {unsafe.Sizeof(IoUringProbe{}), 16 + 256*8},
		"iovec":                        {unsafe.Sizeof(Iovec{}), 16},
		"dma_buf_sync":                 {unsafe.Sizeof(DmaBufSync{}), 8},
		"dma_buf_export_sync_file":     {unsafe.Sizeof(DmaBufExportSyncFile{}), 8},
		"dma_buf_import_sync_file":     {unsafe.Sizeof(DmaBufImportSyncFile{}), 8},
		"sync_file_info":               {unsafe.Sizeof(SyncFileInfo{}), 56},
		"sync_file_info.sync_fence":    {unsafe.Offsetof(SyncFileInfo{}.SyncFenceInfo), 48},
		"udmabuf_create":               {unsafe.Sizeof(UdmabufCreate{}), 24},
		"udmabuf_create_item":          {unsafe.Sizeof(UdmabufCreateItem{}), 24},
		"udmabuf_create_list":          {unsafe.Sizeof(UdmabufCreateList{}), 8},
		"UDMABUF_CREATE size":          {iocSize(UDMABUF_CREATE), unsafe.Sizeof(UdmabufCreate{})},
		"UDMABUF_CREATE_LIST size":     {iocSize(UDMABUF_CREATE_LIST), unsafe.Sizeof(UdmabufCreateList{})},
		"DMA_BUF_IOCTL_SYNC size":      {iocSize(DMA_BUF_IOCTL_SYNC), unsafe.Sizeof(DmaBufSync{})},
		"EXPORT_SYNC_FILE size":        {iocSize(DMA_BUF_IOCTL_EXPORT_SYNC_FILE), unsafe.Sizeof(DmaBufExportSyncFile{})},
		"IMPORT_SYNC_FILE size":        {iocSize(DMA_BUF_IOCTL_IMPORT_SYNC_FILE), unsafe.Sizeof(DmaBufImportSyncFile{})},
		"SYNC_IOC_FILE_INFO size":      {iocSize(SYNC_IOC_FILE_INFO), unsafe.Sizeof(SyncFileInfo{})},
		"dma_heap_allocation_data":     {unsafe.Sizeof(DmaHeapAllocationData{}), 24},
		"DMA_HEAP_IOCTL_ALLOC size":    {iocSize(DMA_HEAP_IOCTL_ALLOC), unsafe.Sizeof(DmaHeapAllocationData{})},
		"io_uring_reg_buffer":          {unsafe.Sizeof(IoUringRegBuffer{}), 16},
		"DRM_IOCTL_VERSION size":       {iocSize(DRM_IOCTL_VERSION), unsafe.Sizeof(DrmVersion{})},
		"PRIME_HANDLE_TO_FD size":      {iocSize(DRM_IOCTL_PRIME_HANDLE_TO_FD), unsafe.Sizeof(DrmPrimeHandle{})},
		"MODE_CREATE_DUMB size":        {iocSize(DRM_IOCTL_MODE_CREATE_DUMB), unsafe.Sizeof(DrmModeCreateDumb{})},
		"VGEM_FENCE_ATTACH size":       {iocSize(DRM_IOCTL_VGEM_FENCE_ATTACH), unsafe.Sizeof(DrmVgemFenceAttach{})},
		"VGEM_FENCE_SIGNAL size":       {iocSize(DRM_IOCTL_VGEM_FENCE_SIGNAL), unsafe.Sizeof(DrmVgemFenceSignal{})},
		"io_sqring_offsets.user_addr":  {unsafe.Offsetof(IoSqringOffsets{}.UserAddr), 32},
		"io_cqring_offsets.cqes":       {unsafe.Offsetof(IoCqringOffsets{}.Cqes), 20},
		"io_uring_rsrc_update2.data":   {unsafe.Offsetof(IoUringRsrcUpdate2{}.Data), 8},
		"io_uring_rsrc_register.data":  {unsafe.Offsetof(IoUringRsrcRegister{}.Data), 16},
		"io_uring_rsrc_update2.nr":     {unsafe.Offsetof(IoUringRsrcUpdate2{}.Nr), 24},
		"io_uring_probe.ops":           {unsafe.Offsetof(IoUringProbe{}.Ops), 16},
		"io_uring_getevents_arg.ts":    {unsafe.Offsetof(IoUringGeteventsArg{}.Ts), 16},
		"sync_file_info.num_fences":    {unsafe.Offsetof(SyncFileInfo{}.NumFences), 40},
		"io_uring_sqe.addr":            {unsafe.Offsetof(IoUringSqe{}.Addr), 16},
		"io_uring_sqe.op flags":        {unsafe.Offsetof(IoUringSqe{}.OpFlags), 28},
		"udmabuf_create_item.offset":   {unsafe.Offsetof(UdmabufCreateItem{}.Offset), 8},
		"dma_buf_export_sync_file.fd":  {unsafe.Offsetof(DmaBufExportSyncFile{}.Fd), 4},
		"io_uring_cqe.res":             {unsafe.Offsetof(IoUringCqe{}.Res), 8},
		"io_uring_params.resv":         {unsafe.Offsetof(IoUringParams{}.Resv), 28},
		"io_uring_getevents_arg.sigsz": {unsafe.Offsetof(IoUringGeteventsArg{}.SigmaskSz), 8},
	} {
		require.Equal(t, c[1], c[0], name)
	}
}

// iocSize is _IOC_SIZE.
func iocSize(cmd uintptr) uintptr { return cmd >> 16 & 0x3fff }

func TestError(t *testing.T) {
	require.NoError(t, Fail(0, "nothing"))
	err := Fail(syscall.EFAULT, "REGISTER_BUFFERS of %d buffers", 3)
	require.ErrorIs(t, err, syscall.EFAULT)
	if runtime.GOOS == "linux" {
		require.EqualError(t, err, "REGISTER_BUFFERS of 3 buffers: EFAULT (bad address)")
	}
	var e *Error
	require.True(t, errors.As(err, &e))
	e.Why = "it is not there"
	require.ErrorContains(t, err, "; it is not there")
}
