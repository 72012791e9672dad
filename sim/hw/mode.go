package hw

// Translates tells whether the device's bus addresses are made by an IOMMU, and not
// physical ones.
func (u *IOMMU) Translates() bool { return u.cfg.Mode != Passthrough }
