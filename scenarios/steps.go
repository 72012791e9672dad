package scenarios

// Step is a step of the specification of RFC v2, or a branch of one: what comes after the
// step's number names the branch.
type Step struct {
	Name string
	// Unreachable says why no run can come there, if none can.
	Unreachable string
}

// Steps lists the steps of the posted design, with their branches, as the rooms mark them.
func Steps() []Step { return append([]Step(nil), steps...) }

var steps = []Step{
	{Name: "REG-1"}, {Name: "REG-1 refused"},
	{Name: "REG-2"}, {Name: "REG-2 no memory"},
	{Name: "REG-3"}, {Name: "REG-3 no file"},
	{Name: "REG-4"}, {Name: "REG-4 no dma-buf"},
	{Name: "REG-5"}, {Name: "REG-5 refused"},
	{Name: "REG-6"},
	{Name: "REG-7"}, {Name: "REG-7 replaces"},
	{Name: "REG-8 accounts"}, {Name: "REG-8 clones"}, {Name: "REG-8 compound"},
	{Name: "BDEV-1"}, {Name: "BDEV-1 refused"},
	{Name: "TOK-1", Unreachable: "a driver without the callbacks does not compile"},
	{Name: "TOK-2"}, {Name: "TOK-2 no memory"},
	{Name: "TOK-3"}, {Name: "TOK-4"},
	{Name: "TOK-5"}, {Name: "TOK-5 dying"},
	{Name: "TOK-6"}, {Name: "TOK-6 refused"},
	{Name: "TOK-7"},
	{Name: "IMP-1"}, {Name: "IMP-1 none"},
	{Name: "IMP-2 range"}, {Name: "IMP-2 empty"}, {Name: "IMP-2 other file"},
	{Name: "IMP-3"}, {Name: "IMP-4"},
	{Name: "IMP-5"}, {Name: "IMP-5 punt"}, {Name: "IMP-5 reissue"}, {Name: "IMP-5 from a worker"},
	{Name: "IMP-6 buffered"},
	{Name: "IT-1"}, {Name: "IT-2"},
	{Name: "IT-3", Unreachable: "nobody asks a token iterator for its alignment: io_uring does not for any, and the block device looks at the offset in the bio"},
	{Name: "IT-4", Unreachable: "only the mapping of user memory for a passthrough command asks for gaps, and that has no token"},
	{Name: "IT-5"}, {Name: "IT-6"},
	{Name: "BIO-0"}, {Name: "BIO-0 truncated"}, {Name: "BIO-0 falls back"},
	{Name: "BIO-1"},
	{Name: "BIO-2", Unreachable: "only raw block devices have the file operation dma_map, and no stacked device is one: nobody clones a token bio"},
	{Name: "BIO-3"},
	{Name: "BIO-4"}, {Name: "BIO-4 split"}, {Name: "BIO-4 -EAGAIN"}, {Name: "BIO-4 -EINVAL"},
	{Name: "SUB-1"}, {Name: "SUB-1 cached"}, {Name: "SUB-1 no tag"}, {Name: "SUB-1 no entry"},
	{Name: "SUB-2"},
	{Name: "SUB-3"}, {Name: "SUB-3 would block"}, {Name: "SUB-3 fails"},
	{Name: "SUB-4"}, {Name: "SUB-4 integrity"}, {Name: "SUB-4 plugged"},
	{Name: "ASG-1"}, {Name: "ASG-2"}, {Name: "ASG-3"}, {Name: "ASG-3 fails"}, {Name: "ASG-4"},
	{Name: "GET-1"}, {Name: "GET-2"}, {Name: "GET-2 NULL"}, {Name: "GET-2 dead"}, {Name: "GET-3"},
	{Name: "CREATE-1"}, {Name: "CREATE-2 made by another"},
	{Name: "CREATE-3"}, {Name: "CREATE-3 fails"}, {Name: "ALLOC"},
	{Name: "CREATE-4"}, {Name: "CREATE-5"}, {Name: "CREATE-5 interrupted"},
	{Name: "CREATE-6"}, {Name: "CREATE-7"}, {Name: "CREATE-8"}, {Name: "CREATE-9"}, {Name: "CREATE-10"},
	{Name: "NV-0"}, {Name: "NV-0 without data"},
	{Name: "NV-1"}, {Name: "NV-1 without map"},
	{Name: "PRE-1"}, {Name: "PRE-2"}, {Name: "PRE-2 two pages"},
	{Name: "PRE-3"}, {Name: "PRE-3 no descriptor"}, {Name: "PRE-3 no further descriptor"}, {Name: "PRE-3a"},
	{Name: "PRE-4"},
	{Name: "CMP-1"}, {Name: "CMP-2"}, {Name: "CMP-2 retry"},
	{Name: "CMP-3"}, {Name: "CMP-3a"}, {Name: "CMP-4"},
	{Name: "REM-1"}, {Name: "REM-2"}, {Name: "REM-2 no memory"},
	{Name: "REM-3"}, {Name: "REM-3 NULL"}, {Name: "REM-4"}, {Name: "REM-5"}, {Name: "REM-6"},
	{Name: "MAP-REL"},
	{Name: "WRK-1"}, {Name: "WRK-2"}, {Name: "WRK-2 nothing mapped"}, {Name: "WRK-3"},
	{Name: "TOKEN-PUT"}, {Name: "TOKEN-PUT last"},
	{Name: "RELEASE-IMU"}, {Name: "RELEASE"},
}
