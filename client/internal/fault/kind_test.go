package fault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestShortOfResources: a process that runs short of a resource cannot write while the
// fault lasts, and goes on afterwards.
func TestShortOfResources(t *testing.T) {
	for _, k := range []kind{starved, frozen} {
		t.Run(string(k), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "written")
			server := exec.Command("/bin/sh", "-c", `while :; do echo x >>`+file+`; sleep 0.01; done`)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			defer server.Wait()
			defer server.Process.Kill()
			status := fmt.Sprintf(`[{"process":"peer","organisation":"HospitalA","pid":%d}]`, server.Process.Pid)
			if err := os.WriteFile(filepath.Join(dir, "chartnet"), []byte("#!/bin/sh\necho '"+status+"'\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			grows := func() bool {
				before, _ := os.Stat(file)
				time.Sleep(300 * time.Millisecond)
				after, err := os.Stat(file)
				return err == nil && (before == nil || after.Size() > before.Size())
			}
			if !grows() {
				t.Fatal("it does not write")
			}
			r := &run{Options: Options{Bin: dir, Dir: dir, Out: testLog{t}}}
			done := make(chan error)
			go func() {
				done <- r.play(t.Context(), fault{kind: k, organisation: "HospitalA", process: "peer", length: 2 * time.Second})
			}()
			time.Sleep(500 * time.Millisecond)
			if grows() {
				t.Error("it writes")
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if !grows() {
				t.Error("it writes no more")
			}
		})
	}
}

// TestFlip: one bit of one block differs.
func TestFlip(t *testing.T) {
	r := &run{Options: Options{Dir: t.TempDir(), Out: testLog{t}}}
	if err := r.flip(spoiled); err != nil {
		t.Errorf("without blocks: %v", err)
	}
	block := filepath.Join(r.network(), "orgs", spoiled, "ipfs", "blocks", "AB", "CIQAB.data")
	if err := os.MkdirAll(filepath.Dir(block), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(block, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.flip(spoiled); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(block)
	bits := 0
	for _, b := range after {
		for ; b > 0; b >>= 1 {
			bits += int(b & 1)
		}
	}
	if err != nil || len(after) != 100 || bits != 1 {
		t.Errorf("%d bytes, %d bits differ, %v", len(after), bits, err)
	}
}
