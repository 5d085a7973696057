package wallet

import (
	"path/filepath"

	"github.com/chartseal/chartseal/client/outbox"
)

// Outbox is where the user's index entries wait to be written.
func (u *User) Outbox() (*outbox.Box, error) {
	return outbox.Open(filepath.Join(u.dir, "state", "outbox"))
}
