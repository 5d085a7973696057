package fault

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// Whoever is cut off gets nothing and sends nothing, by an old connection or a new one,
// and goes on afterwards.
func TestCut(t *testing.T) {
	needKind(t, cutOff)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for conn, err := server.Accept(); err == nil; conn, err = server.Accept() {
			go io.Copy(conn, conn)
		}
	}()
	port := uint16(server.Addr().(*net.TCPAddr).Port)
	if ports, err := portsOf(os.Getpid()); err != nil || !slices.Contains(ports, port) {
		t.Fatalf("ports %v, %v", ports, err)
	}
	old := dialEcho(t, server)
	if err := echoes(old, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	c, err := newCut(t.Context(), fmt.Sprintf("chartseal-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.set(t.Context(), []uint16{port}); err != nil {
		t.Error(err)
	}
	if err := echoes(old, 500*time.Millisecond); err == nil {
		t.Error("an old connection works")
	}
	if conn, err := net.DialTimeout("tcp", server.Addr().String(), 500*time.Millisecond); err == nil {
		conn.Close()
		t.Error("a new connection works")
	}
	if err := c.mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := echoes(dialEcho(t, server), 5*time.Second); err != nil {
		t.Error("afterwards:", err)
	}
}

func dialEcho(t *testing.T, server net.Listener) net.Conn {
	conn, err := net.DialTimeout("tcp", server.Addr().String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// echoes sends a byte and waits for it.
func echoes(conn net.Conn, within time.Duration) error {
	conn.SetDeadline(time.Now().Add(within))
	_, err := conn.Write([]byte{1})
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	return err
}

func needKind(t *testing.T, k kind) {
	t.Helper()
	if kinds, impossible := possible(); !slices.Contains(kinds, k) {
		t.Skip(impossible)
	}
}
