package git

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"time"
)

// parseKey reads a private key in the forms in which GitHub gives it and others
// keep it. Its errors hold nothing of it.
func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("this is not a private key in PEM form, which begins with -----BEGIN RSA PRIVATE KEY-----")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if rsa, ok := key.(*rsa.PrivateKey); ok && err == nil {
		return rsa, nil
	}
	return nil, errors.New("this is not the private key of an App, which is an RSA key without a passphrase")
}

// sign makes what proves that we have the key: a JSON Web Token.
func sign(key *rsa.PrivateKey, id string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iat": now.Add(-time.Minute).Unix(), // clocks differ
		"exp": now.Add(8 * time.Minute).Unix(),
		"iss": id,
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.AppendEncode(nil, []byte(`{"alg":"RS256","typ":"JWT"}`))
	text = base64.RawURLEncoding.AppendEncode(append(text, '.'), claims)
	sum := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return string(base64.RawURLEncoding.AppendEncode(append(text, '.'), signature)), err
}
