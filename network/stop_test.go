package network

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBuildStops: a build that is told to stop does so while another build holds the
// lock, and while a compiler is at work.
func TestBuildStops(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T, u upstream) (wait func()){
		"under another's lock": func(t *testing.T, u upstream) func() {
			lock := filepath.Join(os.Getenv("CHARTSEAL_CACHE"), "servers", u.name+".lock")
			if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
				t.Fatal(err)
			}
			held, err := lockFile(lock, false)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { held.Close() })
			return func() { time.Sleep(100 * time.Millisecond) }
		},
		"compiling": func(t *testing.T, u upstream) func() {
			tools := t.TempDir()
			started := filepath.Join(tools, "started")
			script := fmt.Sprintf("#!/bin/sh\ncase $1 in env) echo go1.99;; build) sleep 100 & echo $! >%[1]s.new; mv %[1]s.new %[1]s; wait;; esac\n", started)
			if err := os.WriteFile(filepath.Join(tools, "go"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", tools+string(os.PathListSeparator)+os.Getenv("PATH"))
			return func() {
				for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
					if _, err := os.Stat(started); err == nil {
						return
					}
				}
				t.Error("nothing was compiled")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, source := moduleFixture(t)
			wait := begin(t, u)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := u.build(ctx, source, talk(nil))
				done <- err
			}()
			wait()
			stop()
			select {
			case err := <-done:
				if err == nil {
					t.Error("it was built all the same")
				}
			case <-time.After(time.Minute):
				t.Fatal("it goes on")
			}
			left, err := filepath.Glob(filepath.Join(os.Getenv("CHARTSEAL_CACHE"), "servers", ".building-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}
