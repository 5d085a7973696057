package network

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Certificate is one of the network's, and its end.
type Certificate struct {
	Organisation string    `json:"organisation"`
	Holder       string    `json:"holder"` // ORG/KIND for a process, NAME@ORG for a user
	Use          string    `json:"use"`    // identity, TLS or root
	NotAfter     time.Time `json:"notAfter"`

	file string // empty for a root
}

// The uses of a [Certificate].
const (
	UseIdentity = "identity" // signs for Fabric
	UseTLS      = "TLS"
	UseRoot     = "root" // certifies others
)

const (
	noticePeriod     = 30 * 24 * time.Hour
	rootNoticePeriod = 365 * 24 * time.Hour // a root is replaced by all members together
)

// Certificates gives the certificates of the servers, of the users of the topology unless
// they are revoked, and of the roots. A certificate that cannot be read, or does not
// belong to its key, has ended at the zero time.
func (n *Network) Certificates() (all []Certificate) {
	for _, o := range n.topology.Organisations() {
		all = append(all, n.certificatesOf(o)...)
	}
	slices.SortStableFunc(all, func(a, b Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return all
}

// certificatesOf gives the certificates of one organisation.
func (n *Network) certificatesOf(o Organisation) (all []Certificate) {
	org := o.Name
	server := func(kind string) string { return org + "/" + kind }
	all = appendPair(all, org, server("ca"), UseTLS, n.org(org, "ca"), "tls-")
	all = appendPair(all, org, server("registrar"), UseIdentity, n.registrarDir(org), "")
	all = appendPair(all, org, server("chaincode"), UseTLS, n.org(org, "chaincode"), "tls-")
	all = appendPair(all, org, server("authority"), UseTLS, n.org(org, "authority"), "tls-")
	all = appendPair(all, org, server("ipfs-proxy"), UseTLS, n.org(org, "ipfs-proxy"), "tls-")
	for _, id := range append(n.nodes(org), n.users(o)...) {
		if isFile(n.refused(org, id.name)) {
			continue
		}
		all = appendPair(all, org, id.holder(org), UseIdentity, id.dir, "")
		all = appendPair(all, org, id.holder(org), UseTLS, id.dir, "tls-")
	}
	if n.state.Created && !isFile(filepath.Join(n.registrarDir(org), "cert.pem")) {
		// It enrolled with its only secret, and was killed before it wrote the
		// certificate.
		all = append(all, Certificate{Organisation: org, Holder: server("registrar"), Use: UseIdentity})
	}
	for kind, file := range map[string]string{
		"ca": n.caRoot(org), "servers": n.tlsRoot(org), "people": n.peopleRoot(org),
		"administration": n.administrationRoot(org), "chaincode-link": filepath.Join(n.chaincodeLink(org), "ca-cert.pem"),
	} {
		if end, err := endOf(file); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, Certificate{Organisation: org, Holder: server(kind), Use: UseRoot, NotAfter: end})
		}
	}
	return all
}

// ended tells whether the certificate is of no use at a time.
func (c Certificate) ended(now time.Time) bool { return !c.NotAfter.After(now) }

// holder names an identity for people.
func (id identity) holder(org string) string {
	if id.server {
		return org + "/" + id.name
	}
	return id.name + "@" + org
}

// appendPair adds the certificate of a pair of files, if there is one.
func appendPair(all []Certificate, org, holder, use, dir, prefix string) []Certificate {
	file := filepath.Join(dir, prefix+"cert.pem")
	if !isFile(file) {
		return all
	}
	c := Certificate{Organisation: org, Holder: holder, Use: use, file: file}
	// An interrupted renewal leaves the new key with the old certificate.
	if _, err := tls.LoadX509KeyPair(file, filepath.Join(dir, prefix+"key.pem")); err == nil {
		c.NotAfter, _ = endOf(file) // it has just been parsed
	}
	return append(all, c)
}

// endOf gives the end of the certificate in a file.
func endOf(file string) (time.Time, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}, err
	}
	certificate, err := parseCertificate(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", file, err)
	}
	return certificate.NotAfter, nil
}

// Due gives the certificates that end soon after a time, or have ended by then, the first
// to end first. Soon is 30 days, or a third of a shorter lifetime, or a year for roots.
func (n *Network) Due(now time.Time) []Certificate {
	return slices.DeleteFunc(n.Certificates(), func(c Certificate) bool {
		period := n.renewalPeriod()
		if c.Use == UseRoot {
			period = rootNoticePeriod
		}
		return c.NotAfter.After(now.Add(period))
	})
}

// renewalPeriod is the time before its end in which a certificate is replaced.
func (n *Network) renewalPeriod() time.Duration {
	return min(noticePeriod, n.topology.CertificateLifetime/3)
}

// Notices says in a line for each organisation which of the certificates end or have
// ended, when, and what to do.
func Notices(due []Certificate, now time.Time) (lines []string) {
	type group struct{ organisation, what, todo string }
	var order []group
	holders := map[group][]string{}
	ends := map[group]time.Time{}
	for _, c := range due {
		g := group{c.Organisation, "certificates", fmt.Sprintf("'chartnet renew %s' replaces them", c.Organisation)}
		if c.Use == UseRoot {
			g = group{c.Organisation, "roots", "docs/network.md says how roots are replaced"}
		}
		if holders[g] == nil {
			order, ends[g] = append(order, g), c.NotAfter
		}
		if !slices.Contains(holders[g], c.Holder) {
			holders[g] = append(holders[g], c.Holder)
		}
	}
	for _, g := range order {
		when := "end from " + ends[g].UTC().Format("2006-01-02 15:04 MST") + " on"
		if !ends[g].After(now) {
			when = "have ended, or end soon"
		}
		lines = append(lines, fmt.Sprintf("%s of %s %s (%s): %s", g.what, g.organisation, when, strings.Join(holders[g], ", "), g.todo))
	}
	return lines
}
