package scenarios

import (
	"context"
	"testing"

	"dmasim/sim/explore"
)

func TestScratch(t *testing.T) {
	for _, s := range All() {
		for _, d := range Designs() {
			c, _ := NewCase(s, d, 0)
			v := c.Check(context.Background(), explore.NewDeepen(s.Quick), s.Quick, explore.Options{})
			r := v.Report
			t.Logf("%s %s: %s expected=%v want=%v exec=%d longest=%d cov=%v %v", s.Name, d.Name, v.Outcome, v.AsExpected, c.Expected(), r.Executions, r.Longest, r.Coverage, r.Elapsed)
			if r.Found != nil {
				t.Logf("   %v %v", r.Found.Failure, r.Found.Schedule)
				for _, dd := range r.Found.Failure.Detail {
					t.Log("    ", dd)
				}
				r.Found.Machine.Close()
			}
		}
	}
}
