package blkmq

import "dmasim/sim"

// OverLimits: a request was sent to a device that had said it cannot do that.
const OverLimits sim.Kind = "over-limits"
