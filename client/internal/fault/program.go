package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// A process is a row of `chartnet status --json`.
type process struct {
	Process      string `json:"process"`
	Organisation string `json:"organisation"`
	PID          int    `json:"pid"`
	Healthy      bool   `json:"healthy"`
	Height       uint64 `json:"height"`
	Problem      string `json:"problem"`
}

func (p process) String() string { return p.Organisation + "/" + p.Process + ": " + p.Problem }

// exitUnavailable is the exit code of a status with an unhealthy process.
const exitUnavailable = 6

func (r *run) status(ctx context.Context) (all []process, err error) {
	return all, r.chartnet(ctx, &all, "status", "--json")
}

// chartnet runs a command on the network and decodes its JSON output, unless into is nil.
// An unhealthy process is no error.
func (r *run) chartnet(ctx context.Context, into any, args ...string) error {
	args = append([]string{"--dir", r.network(), "--bin", r.Bin}, args...)
	out, err := exec.CommandContext(ctx, filepath.Join(r.Bin, "chartnet"), args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if into == nil || exit.ExitCode() != exitUnavailable {
			return fmt.Errorf("chartnet %s: %w: %s", strings.Join(args[4:], " "), err, exit.Stderr)
		}
		err = nil
	}
	if err == nil && into != nil {
		err = json.Unmarshal(out, into)
	}
	return err
}

// chartseal runs the client and decodes its JSON output, unless into is nil.
func (r *run) chartseal(ctx context.Context, user string, into any, args ...string) error {
	args = append([]string{"--wallet", r.wallet(), "--user", user, "--json"}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(r.Bin, "chartseal"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("chartseal %s as %s: %w: %s", args[5], user, err, strings.TrimSpace(stderr.String()))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(stdout.Bytes(), into)
}

func (r *run) wallet() string { return filepath.Join(r.network(), "wallet") }
