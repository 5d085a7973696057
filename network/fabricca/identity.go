package fabricca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
)

// An Identity signs requests as the holder of a certificate.
type Identity struct {
	Certificate []byte        // PEM
	Key         crypto.Signer // an ECDSA key, perhaps in a token
}

// Identity makes an identity of a certificate and its key.
//
// Errors:
//   - ErrInvalid if the key is not an ECDSA key in PKCS#8 and PEM.
func (k KeyPair) Identity() (Identity, error) {
	block, _ := pem.Decode(k.Key)
	if block == nil {
		return Identity{}, failure(ErrInvalid, "the key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Identity{}, failure(ErrInvalid, "the key is not PKCS#8: %v", err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return Identity{}, failure(ErrInvalid, "the key is a %T, want ECDSA", key)
	}
	return Identity{Certificate: k.Certificate, Key: signer}, nil
}

// authorise adds Fabric CA's token: base64(certificate) "." base64(signature), where the
// signature is over method, URI, body and certificate.
func (i Identity) authorise(r *http.Request, body []byte) error {
	b64 := base64.StdEncoding.EncodeToString
	text := r.Method + "." + b64([]byte(r.URL.RequestURI())) + "." + b64(body) + "." + b64(i.Certificate)
	digest := sha256.Sum256([]byte(text))
	signature, err := SignLowS(i.Key, digest[:])
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", b64(i.Certificate)+"."+b64(signature))
	return nil
}

// SignLowS signs a SHA-256 digest with an ECDSA key that may live in a token. For each
// ECDSA signature (r, s), (r, n-s) is valid too, n being the order of the curve. Fabric
// and Fabric CA accept only the one with the lower s, so that nobody can change a
// signature in transit. The result is the ASN.1 DER of that one.
//
// Errors:
//   - ErrInvalid if the key is not ECDSA, or if the signer returns something else than an
//     ASN.1 ECDSA signature.
//   - Any error of the signer.
func SignLowS(key crypto.Signer, digest []byte) ([]byte, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, failure(ErrInvalid, "sign: the key is %T, not ECDSA", key.Public())
	}
	signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var parsed struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &parsed); err != nil || len(rest) > 0 {
		return nil, failure(ErrInvalid, "sign: the signer did not return an ASN.1 ECDSA signature")
	}
	order := public.Params().N
	if parsed.S.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		return signature, nil
	}
	parsed.S.Sub(order, parsed.S)
	return asn1.Marshal(parsed)
}

// A Registration introduces an identity to a CA.
type Registration struct {
	CA         string
	ID         string
	Type       string            // Fabric's node OU: peer, orderer, admin or client
	Attributes map[string]string // for its enrolment certificates
	Secret     string            // with which it enrols
	Enrolments int               // how many times the secret is good
}

// Register introduces an identity, as a registrar.
//
// Errors:
//   - ErrExists if the CA has an identity of that name.
//   - ErrDenied if the registrar may not do this.
//   - ErrUnavailable, ErrUntrusted if the CA cannot be asked.
func (c *Client) Register(ctx context.Context, registrar Identity, r Registration) error {
	type attribute struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		ECert bool   `json:"ecert"`
	}
	attributes := []attribute{}
	for _, name := range slices.Sorted(maps.Keys(r.Attributes)) {
		attributes = append(attributes, attribute{name, r.Attributes[name], true})
	}
	return c.call(ctx, http.MethodPost, "register", struct {
		ID         string      `json:"id"`
		Type       string      `json:"type"`
		Secret     string      `json:"secret"`
		Enrolments int         `json:"max_enrollments"`
		Attributes []attribute `json:"attrs"`
		CA         string      `json:"caname"`
	}{r.ID, r.Type, r.Secret, r.Enrolments, attributes, r.CA}, registrar.authorise, nil)
}

// Reissue gives a registered identity a new secret, which is good for so many enrolments
// more than were left of the old one. It is how an identity whose certificates have ended
// gets new ones: they cannot authenticate it any more. A revoked identity stays revoked.
//
// Errors:
//   - ErrNotFound if the CA has no identity of that name.
//   - ErrDenied if the registrar may not do this.
//   - ErrUnavailable, ErrUntrusted if the CA cannot be asked.
func (c *Client) Reissue(ctx context.Context, registrar Identity, ca, id, secret string, enrolments int) error {
	modify := func(limit int) (now int, err error) {
		var result struct {
			Limit int `json:"max_enrollments"`
		}
		err = c.call(ctx, http.MethodPut, "identities/"+url.PathEscape(id), struct {
			Secret string `json:"secret"`
			Limit  int    `json:"max_enrollments,omitempty"`
			CA     string `json:"caname"`
		}{secret, limit, ca}, registrar.authorise, &result)
		return result.Limit, err
	}
	// The CA compares the number of all enrolments of the identity with the limit, and
	// tells only the limit.
	limit, err := modify(0)
	const unlimited = -1
	if err == nil && limit != unlimited {
		_, err = modify(limit + enrolments)
	}
	return err
}

// Revoke revokes all certificates of an identity, and lets it enrol no more. It succeeds
// as well when they were revoked before.
//
// Errors:
//   - ErrNotFound if the CA has no identity of that name.
//   - ErrDenied if the registrar may not do this.
//   - ErrUnavailable, ErrUntrusted if the CA cannot be asked.
func (c *Client) Revoke(ctx context.Context, registrar Identity, ca, id string) error {
	return c.call(ctx, http.MethodPost, "revoke", map[string]string{"id": id, "caname": ca}, registrar.authorise, nil)
}

// RevocationList gives a new revocation list, in PEM, with every certificate that the CA
// has revoked.
//
// Errors:
//   - ErrDenied if the registrar may not do this.
//   - ErrUnavailable, ErrUntrusted if the CA cannot be asked.
func (c *Client) RevocationList(ctx context.Context, registrar Identity, ca string) ([]byte, error) {
	var result struct{ CRL []byte }
	err := c.call(ctx, http.MethodPost, "gencrl", map[string]string{"caname": ca}, registrar.authorise, &result)
	return result.CRL, err
}
