package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/settings"
)

// An app is one run of the program: its streams, environment and flags.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	exe    string // path of the executable, "" if unknown
	exeDir string // its directory

	global   globalFlags
	at       string            // organisation whose peer answers; "" for the user's own
	settings settings.Settings // resolved before a command starts
}

// Main runs the command line of this process and returns its exit code.
//
// The first SIGINT or SIGTERM cancels the command, so that it can clean up. A second one
// ends the process at once, and so does the end of lastTime.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	done := make(chan int, 1)
	go func() { done <- run(ctx) }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	select {
	case code := <-done:
		return code
	case <-time.After(lastTime):
		return exitOther
	}
}

// lastTime bounds the clean-up after the first signal. It is below the ten seconds that
// service managers usually give, and longer than the clean-up takes. Without the bound, a
// write to a pipe that nobody reads, or the opening of a pipe that nobody writes to,
// would never end: a context does not stop them.
const lastTime = 8 * time.Second

// run runs the command line. The end of ctx stops it.
func run(ctx context.Context) int {
	a := &app{stdin: newInput(ctx, os.Stdin), stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	if exe, err := os.Executable(); err == nil {
		a.exe, a.exeDir = exe, dirOf(exe)
	}
	return a.main(ctx, os.Args[1:])
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetContext(ctx)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && !errors.Is(err, client.ErrUnknownOutcome) {
		err = errInterrupted
	}
	err = a.clockHint(ctx, err)
	if !a.global.json && asksForJSON(args) { // the flags could not be parsed
		a.global.json = true
	}
	return a.report(cmd, err)
}
