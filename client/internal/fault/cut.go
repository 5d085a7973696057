package fault

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A cut lets the kernel drop all packets from and to some TCP ports of this machine, as
// if a cable were cut: nobody is refused, and nobody gets an answer. It needs root and
// the program nft.
type cut struct {
	table string
	ports []uint16
}

func newCut(ctx context.Context, name string) (*cut, error) {
	c := &cut{table: "inet " + name}
	return c, c.nft(ctx, fmt.Sprintf(`table %s {
	set cut { type inet_service; }
	chain output {
		type filter hook output priority 0;
		oifname != "lo" accept
		tcp sport @cut drop
		tcp dport @cut drop
	}
}
`, c.table))
}

// set cuts these ports, and mends the others.
func (c *cut) set(ctx context.Context, ports []uint16) error {
	slices.Sort(ports)
	if ports = slices.Compact(ports); slices.Equal(ports, c.ports) {
		return nil
	}
	c.ports = ports
	rules := fmt.Sprintf("flush set %s cut\n", c.table)
	if len(ports) > 0 {
		rules += fmt.Sprintf("add element %s cut { %s }\n", c.table, strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", ", "), "[]"))
	}
	return c.nft(ctx, rules)
}

func (c *cut) mend(ctx context.Context) error { return c.nft(ctx, "delete table "+c.table+"\n") }

func (c *cut) nft(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

// portsOf gives the local ports of all TCP sockets of a process.
func portsOf(pid int) (ports []uint16, err error) {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	for _, name := range names {
		target, _ := os.Readlink(name)
		if inode, found := strings.CutPrefix(target, "socket:["); found {
			mine[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(sockets) {
			const local, inode = 1, 9 // fields of proc(5)
			fields := strings.Fields(string(line))
			if len(fields) <= inode || !mine[fields[inode]] {
				continue
			}
			_, port, _ := strings.Cut(fields[local], ":")
			n, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", table, err)
			}
			ports = append(ports, uint16(n))
		}
	}
	return ports, nil
}
