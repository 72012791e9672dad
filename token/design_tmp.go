package token

// Design is replaced below by the real contract.
type Design interface{ Name() string }
