// Package dmatoken is the token handling of RFC v2 as posted: when the map is looked
// up, made, published, invalidated and freed.
//
// It follows the specification step by step; a function says which steps it is, and a
// step says where the model departs from the posted text, which is only where a repair
// of package token is switched on. What looks wrong here is as posted.
//
// # The life of a map
//
//	CREATE        made and mapped under mapping_lock and the reservation lock
//	CREATE-10     published in token.map
//	GETMAP        a request takes a live reference
//	REMOVE        unpublished, its fence added to the reservation object, killed
//	MAP-REL       the last reference has gone: queue the work
//	WRK           signal the fence, unmap, free
//
// Lock order:
//
//	uring_lock (registration)
//	mapping_lock
//	    dma_resv lock
package dmatoken
