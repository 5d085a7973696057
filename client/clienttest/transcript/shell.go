package transcript

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// A Shell is a session of bash.
type Shell struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	output *os.File
}

// mark ends the output of each command; the exit status follows it.
const mark = "\x01transcript:"

// Start starts a session in a directory with exactly the given environment.
func Start(dir string, env []string) (*Shell, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = write, write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		read.Close()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("start bash: %w", err)
	}
	return &Shell{cmd: cmd, in: in, out: bufio.NewReader(read), output: read}, nil
}

// Run runs a command without input. It returns the output and the exit status.
func (s *Shell) Run(command string) (output string, status int, err error) {
	if _, err := fmt.Fprintf(s.in, "{ %s\n} < /dev/null; printf '%s%%d\\n' $?\n", command, mark); err != nil {
		return "", 0, fmt.Errorf("the shell has ended: %w", err)
	}
	var all strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return all.String(), 0, fmt.Errorf("the shell has ended: %w", err)
		}
		before, after, found := strings.Cut(line, mark)
		all.WriteString(before)
		if found {
			status, err = strconv.Atoi(strings.TrimSpace(after))
			return all.String(), status, err
		}
	}
}

// Close ends the session and its background processes.
func (s *Shell) Close() error {
	s.in.Close()
	err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	s.cmd.Wait() // returns an error, because the process was killed
	s.output.Close()
	return err
}
