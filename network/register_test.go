package network

import (
	"strings"
	"testing"
)

// TestRegisterRefuses: before a CA is asked, for a CA takes any name, and any attribute
// from its registrar.
func TestRegisterRefuses(t *testing.T) {
	topology, err := parseTopology([]byte("hospitals: [{name: A}, {name: B}]"))
	if err != nil {
		t.Fatal(err)
	}
	n := &Network{topology: topology}
	for _, c := range []struct {
		org, user string
		attribute string
		want      string
	}{
		{"A", "a b", "role", `user "a b" of A`},
		{"A", "../doctor", "role", `user "../doctor" of A`},
		{"A", "ada", "hf.Registrar.Roles", `attribute "hf.Registrar.Roles" of ada@A`},
		{"A", "ada", "", `attribute "" of ada@A`},
		{"Z", "ada", "role", `no organisation "Z"`},
	} {
		_, err := n.Register(t.Context(), c.org, c.user, map[string]string{c.attribute: "doctor"}, 1)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Register(%s@%s, %s): %v, want %s", c.user, c.org, c.attribute, err, c.want)
		}
	}
}
