package fault

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const clockProgram = `package main

import (
	"fmt"
	"time"
)

func main() {
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
		fmt.Println(time.Now().Format(time.RFC3339))
	}
}
`

// A process whose clock was shifted sees another time of day. Its timers go on, and in
// the end its clock is right again.
func TestShiftClock(t *testing.T) {
	program := filepath.Join(t.TempDir(), "clock")
	if err := os.WriteFile(program+".go", []byte(clockProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", program, program+".go").CombinedOutput(); err != nil { // test programs have no symbols
		t.Fatalf("%v\n%s", err, out)
	}
	server := exec.Command(program)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()
	lines := bufio.NewScanner(out)
	lines.Scan() // it runs
	for _, offset := range []time.Duration{0, -3 * 24 * time.Hour, 7 * time.Minute, 0} {
		if err := shiftClock(server.Process.Pid, offset); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Second); ; {
			if !lines.Scan() || time.Now().After(end) {
				t.Fatalf("offset %v: it says %q, %v", offset, lines.Text(), lines.Err())
			}
			seen, err := time.Parse(time.RFC3339, lines.Text())
			if err == nil && seen.Sub(time.Now().Add(offset)).Abs() < 2*time.Second {
				break
			}
		}
	}
}
