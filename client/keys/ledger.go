package keys

import (
	"context"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// The parts of the ledger that this package needs. A client.Ledger has all of them, and
// says what each method does.

// An Announcer announces the caller's authority.
type Announcer interface {
	trust.Depositor
	MSP() string
	Announce(ctx context.Context, a ledger.Announcement) error
}

// A Catalog holds the current public keys of all attributes.
type Catalog interface {
	// AttributesOf lists the published attributes of one authority, all of them, sorted
	// by name.
	AttributesOf(ctx context.Context, authority string) ([]ledger.AttributeName, error)

	// CurrentKeys returns the current public keys of those of the names that are
	// published, in the order of names. It takes any number of names.
	CurrentKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error)
}

// A Publisher is a Catalog that takes new keys and signatures.
type Publisher interface {
	Catalog
	History
	trust.Depositor
	PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error
}

// A History holds current and past public keys.
type History interface {
	AttributeKeyVersions(ctx context.Context, versions []ledger.AttributeName) ([]ledger.AttributeKey, error)
}

// A Directory says who the caller is and which authorities they may ask.
type Directory interface {
	Actor() string
	Authorities(ctx context.Context) ([]ledger.Authority, error)
	History
}
