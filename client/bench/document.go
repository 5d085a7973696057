package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes the processor, memory and system of this machine, as far as the
// system reports them.
func Machine() string {
	text := fmt.Sprintf("%d processors", runtime.NumCPU())
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ := strings.Cut(rest, "\n")
			text += " (" + strings.TrimSpace(model) + ")"
		}
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err == nil {
			text += fmt.Sprintf(", %d GiB of memory", kib>>20)
		}
	}
	return fmt.Sprintf("%s, %s/%s, %s", text, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// ReplaceSection replaces the text of a document between the lines "<!-- NAME -->" and
// "<!-- /NAME -->". The rest of the document is written by people and stays.
func ReplaceSection(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(old), "<!-- "+name+" -->\n")
	_, after, ended := strings.Cut(rest, "<!-- /"+name+" -->\n")
	if !begun || !ended {
		return fmt.Errorf("%s has no section %q", file, name)
	}
	text = fmt.Sprintf("%s<!-- %s -->\n\n%s\n\n<!-- /%s -->\n%s", before, name, strings.TrimSpace(text), name, after)
	return os.WriteFile(file, []byte(text), 0o644)
}
