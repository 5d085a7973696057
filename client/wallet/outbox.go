package wallet

import (
	"path/filepath"

	"github.com/chartseal/chartseal/client/outbox"
)

// Outbox opens the user's outbox of waiting index entries.
func (u *User) Outbox() (*outbox.Box, error) {
	return outbox.Open(filepath.Join(u.dir, "state", "outbox"))
}
