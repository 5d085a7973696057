package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	keep := make([]byte, 64<<20)
	for i := range keep {
		keep[i] = 1
	}
	now := Memory(os.Getpid(), "VmRSS") // read before the peak, because the peak only grows
	if greatest := Memory(os.Getpid(), "VmHWM"); greatest < 64<<20 || greatest < now {
		t.Errorf("greatest %d bytes, now %d", greatest, now)
	}
	if got := Memory(1<<30, "VmHWM"); got != 0 {
		t.Errorf("nobody has %d bytes", got)
	}
}

func TestUsage(t *testing.T) {
	s := &Stage{Options: Options{Dir: t.TempDir()}}
	for name, pid := range map[string]int{"HospitalA/peer": os.Getpid(), "HospitalB/peer": os.Getpid(), "HospitalB/orderer": 1 << 30} {
		file := filepath.Join(s.Dir, "run", name+".pid")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, fmt.Appendf(nil, "%d (sh) S 1", pid), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Servers()
	if err != nil || len(all) != 3 || all[0] != (Server{"peer", "HospitalA", os.Getpid()}) {
		t.Fatalf("%v, %v", all, err)
	}
	before, err := s.Usage()
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < time.Minute; {
		now, err := s.Usage()
		if err != nil {
			t.Fatal(err)
		}
		// Two servers of one kind are this process, so the kind counts the client's time
		// twice.
		if took := now["client"] - before["client"]; took >= 200*time.Millisecond {
			if peers := now["peer"] - before["peer"]; peers < 2*took-4*tick || peers > 2*took+4*tick || now["orderer"] != 0 {
				t.Errorf("from %v to %v", before, now)
			}
			return
		}
	}
	t.Error("time is never used")
}

func TestSize(t *testing.T) {
	dir := t.TempDir()
	for name, n := range map[string]int{"blockfile_000000": 100, "sub/blockfile_000001": 20, "sub/other": 3} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if blocks, all := Size(dir, "blockfile_"), Size(dir, ""); blocks != 120 || all != 123 {
		t.Errorf("%d and %d", blocks, all)
	}
	if n := Size(filepath.Join(dir, "absent"), ""); n != 0 {
		t.Errorf("nothing has %d bytes", n)
	}
}
