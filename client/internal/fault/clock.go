package fault

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// A Go program asks the kernel's vDSO for the time, through a pointer to its
// clock_gettime. So a preloaded library does not change what it sees. A namespace changes
// only the clocks that measure durations. shiftClock writes another clock_gettime into
// the unused end of the process's own copy of the vDSO, and lets the pointer lead there.

// clockPointer is the variable of a Go program that holds the pointer.
const clockPointer = "runtime.vdsoClockgettimeSym"

// shiftedClock is clock_gettime(clock, *timespec): it asks the kernel, and adds the
// seconds that stand 32 bytes after its beginning to the time of day, which is clock 0.
var shiftedClock = []byte{
	0xb8, 228, 0, 0, 0, // mov eax, SYS_clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi
	0x75, 10, // jne ret
	0x48, 0x8b, 0x15, 14, 0, 0, 0, // mov rdx, [rip+14]
	0x48, 0x01, 0x16, // add [rsi], rdx
	0xc3, // ret
}

const (
	shiftOffset = 32
	clockRoom   = 64 // bytes at the end of the vDSO
)

// shiftClock lets the clock of a process, which has to be a Go program, jump to an offset
// from the machine's clock. Its timers go on as before. An offset of 0 sets the clock
// right.
func shiftClock(pid int, offset time.Duration) error {
	if runtime.GOARCH != "amd64" {
		return errors.New("the clock of a process can be shifted on amd64 only")
	}
	pointer, err := pointerOf(pid)
	if err != nil {
		return err
	}
	end, err := endOfVDSO(pid)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	code := end - clockRoom
	there := make([]byte, clockRoom)
	if _, err := memory.ReadAt(there, int64(code)); err != nil {
		return err
	}
	if !bytes.HasPrefix(there, shiftedClock) {
		if !bytes.Equal(there, make([]byte, clockRoom)) {
			return errors.New("the vDSO has no unused end")
		}
		if _, err := memory.WriteAt(shiftedClock, int64(code)); err != nil {
			return err
		}
	}
	// Both words are aligned, so that a thread reads the old value or the new one.
	for _, word := range []struct{ at, value uint64 }{{code + shiftOffset, uint64(offset / time.Second)}, {pointer, code}} {
		if _, err := memory.WriteAt(binary.LittleEndian.AppendUint64(nil, word.value), int64(word.at)); err != nil {
			return err
		}
	}
	return nil
}

// pointers remembers the address of clockPointer in each program.
var pointers sync.Map

func pointerOf(pid int) (uint64, error) {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0, err
	}
	if address, found := pointers.Load(path); found {
		return address.(uint64), nil
	}
	program, err := elf.Open(path)
	if err != nil {
		return 0, err
	}
	defer program.Close()
	symbols, err := program.Symbols()
	if err != nil || program.Type != elf.ET_EXEC {
		return 0, fmt.Errorf("%s has no symbols at fixed addresses: %v", path, err)
	}
	for _, s := range symbols {
		if s.Name == clockPointer {
			pointers.Store(path, s.Value)
			return s.Value, nil
		}
	}
	return 0, fmt.Errorf("%s is no Go program", path)
}

// endOfVDSO gives the address behind the vDSO of a process.
func endOfVDSO(pid int) (end uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			var start uint64
			_, err := fmt.Sscanf(line, "%x-%x", &start, &end)
			return end, err
		}
	}
	return 0, errors.New("the process has no vDSO")
}
