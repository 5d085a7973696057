package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal: what people see and type at, and what programs do.
func terminal(t *testing.T) (people, programs *os.File) {
	t.Helper()
	people, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { people.Close() })
	if err := unix.IoctlSetPointerInt(int(people.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(people.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	programs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { programs.Close() })
	return people, programs
}

// TestSecretStopsWaiting: a program that is told to stop while it asks for a secret does
// not wait for it, and leaves a terminal that shows what is typed.
func TestSecretStopsWaiting(t *testing.T) {
	people, programs := terminal(t)
	shows := func() bool {
		state, err := unix.IoctlGetTermios(int(programs.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	ctx, stop := context.WithCancel(t.Context())
	a := &app{stdin: newInput(ctx, programs), stderr: io.Discard}
	done := make(chan error, 1)
	go func() {
		_, err := a.secret(secretSource{what: "passphrase"})
		done <- err
	}()
	for end := time.Now().Add(time.Minute); shows(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was asked for")
		}
	}
	stop()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits on")
	}
	if !shows() {
		t.Error("the terminal hides what is typed")
	}
	if _, err := people.WriteString("too late\n"); err != nil { // so that nothing reads the terminal any more
		t.Fatal(err)
	}
}

// TestStopsWhateverItWaitsFor: SIGTERM ends also a program that waits for somebody who
// does not read or write, which no context can end.
func TestStopsWhateverItWaitsFor(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, full := pipe(t)
	if err := full.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := full.Write(bytes.Repeat([]byte("x"), 1<<20)); err == nil {
		t.Fatal("the pipe takes everything")
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	type waiting struct {
		name string
		*exec.Cmd
		done chan error
	}
	var all []waiting
	start := func(name string, wait func(*exec.Cmd), args ...string) {
		cmd := exec.Command(program)
		cmd.Args = append([]string{"chartseal"}, args...) // by which TestMain knows that it is to be the program
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "CHARTSEAL_WALLET="+t.TempDir())
		if wait(cmd); cmd.Start() != nil {
			t.Fatalf("%s: it does not start", name)
		}
		w := waiting{name, cmd, make(chan error, 1)}
		go func() { w.done <- cmd.Wait() }()
		t.Cleanup(func() { cmd.Process.Kill() })
		all = append(all, w)
	}
	start("stdout", func(cmd *exec.Cmd) { cmd.Stdout = full }, "version")
	start("stderr", func(cmd *exec.Cmd) { cmd.Stderr = full }, "no-such-command")
	start("file", func(*exec.Cmd) {}, "seal", "record", "--policy-file", fifo)
	time.Sleep(2 * time.Second)
	for _, w := range all {
		select {
		case err := <-w.done:
			t.Fatalf("%s: it did not wait: %v", w.name, err)
		default:
		}
		if err := w.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	late := time.After(lastTime + time.Minute)
	for _, w := range all {
		select {
		case err := <-w.done:
			if err == nil {
				t.Errorf("%s: it succeeded", w.name)
			}
		case <-late:
			t.Fatalf("%s: it goes on", w.name)
		}
	}
}
