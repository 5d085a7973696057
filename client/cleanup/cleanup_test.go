package cleanup

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestContext(t *testing.T) {
	const patience, hurry = time.Minute, 3 * time.Second
	for name, c := range map[string]struct{ stop, want time.Duration }{ // when ctx ends, and how long there is to undo
		"nobody stops":      {time.Hour, patience},
		"stopped before":    {0, hurry},
		"stopped meanwhile": {10 * time.Second, 10*time.Second + hurry},
		"stopped late":      {patience - time.Second, patience},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), c.stop)
				defer stop()
				began := time.Now()
				undo, cancel := Context(ctx, patience, hurry)
				defer cancel()
				<-undo.Done()
				if took := time.Since(began); took != c.want {
					t.Errorf("it lasted %v, want %v", took, c.want)
				}
			})
		})
	}
}
