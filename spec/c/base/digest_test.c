/*
** digest_test.c: hash functions and HMAC: the vectors of their papers, in every
** cut, and by the processor's own instructions as by plain C.
*/

#include "base/digest_priv.h"
#include "base/hex.h"
#include "guard.h"
#include "t.h"

static const char *const names[GREEN_DIGEST_KINDS] = {
    "MD5", "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"};

static char text[2 * GREEN_DIGEST_MOST + 1];

static const char *hex(const uint8_t *digest, size_t n)
{
  green_hex_encode(digest, n, text);
  text[2 * n] = '\0';
  return text;
}

static const char *hash(int kind, const void *p, size_t n)
{
  uint8_t digest[GREEN_DIGEST_MOST];
  green_digest_of(kind, guard_copy(p, n), n, digest);
  return hex(digest, green_digest_size(kind));
}

#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define FOUR_BLOCKS \
  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn" \
  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define DIGITS "1234567890123456789012345678901234567890"

static const struct {
  int kind;
  const char *in, *digest;
} vectors[] = {
    /* RFC 1321, A.5. */
    {GREEN_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
    {GREEN_MD5, "a", "0cc175b9c0f1b6a831c399e269772661"},
    {GREEN_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
    {GREEN_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {GREEN_MD5, "abcdefghijklmnopqrstuvwxyz",
     "c3fcd3d76192e4007dfb496cca67e13b"},
    {GREEN_MD5, LETTERS, "d174ab98d277d9f5a5611c2c9f419d9f"},
    {GREEN_MD5, DIGITS DIGITS, "57edf4a22be3c955ac49da2e2107b67a"},
    /* FIPS 180's examples. */
    {GREEN_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {GREEN_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {GREEN_SHA1, TWO_BLOCKS, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    {GREEN_SHA224, "abc",
     "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {GREEN_SHA224, TWO_BLOCKS,
     "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"},
    {GREEN_SHA256, "",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {GREEN_SHA256, "abc",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {GREEN_SHA256, TWO_BLOCKS,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {GREEN_SHA384, "abc",
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
     "8086072ba1e7cc2358baeca134c825a7"},
    {GREEN_SHA384, FOUR_BLOCKS,
     "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
     "fcc7c71a557e2db966c3e9fa91746039"},
    {GREEN_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {GREEN_SHA512, FOUR_BLOCKS,
     "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
     "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
};

static void test_vectors(void)
{
  for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
    is_str(hash(vectors[i].kind, vectors[i].in, strlen(vectors[i].in)),
           vectors[i].digest, names[vectors[i].kind]);
}

static const char *const million[GREEN_DIGEST_KINDS] = {
    "7707d6ae4e027c70eea2a935c2296f21",
    "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67",
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
    "07b8b3dc38ecc4ebae97ddd87f3d8985",
    "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
    "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"};

static void test_a_million(void)
{
  static char a[1000000];
  uint8_t digest[GREEN_DIGEST_MOST];
  memset(a, 'a', sizeof(a));
  for (int kind = 0; kind < GREEN_DIGEST_KINDS; kind++) {
    green_digest_of(kind, a, sizeof(a), digest);
    is_str(hex(digest, green_digest_size(kind)), million[kind], names[kind]);
  }
}

/* -- Cuts ----------------------------------------------------------------- */

enum { LONGEST = 300 };

static uint8_t noise[LONGEST];

/* Digest n bytes in pieces: [0, a), [a, b), [b, n). */
static void in_three(int kind, size_t a, size_t b, size_t n, uint8_t *digest)
{
  green_digest d;
  green_digest_init(&d, kind);
  green_digest_update(&d, guard_copy(noise, a), a);
  green_digest_update(&d, guard_copy(noise + a, b - a), b - a);
  green_digest_update(&d, guard_copy(noise + b, n - b), n - b);
  green_digest_final(&d, digest);
}

/* Every length up to two blocks and more, cut in two at every place. */
static void test_every_cut(void)
{
  for (int kind = 0; kind < GREEN_DIGEST_KINDS; kind++) {
    int wrong = 0;
    size_t size = green_digest_size(kind);
    for (size_t n = 0; n <= LONGEST; n++) {
      uint8_t whole[GREEN_DIGEST_MOST], cut[GREEN_DIGEST_MOST];
      green_digest_of(kind, guard_copy(noise, n), n, whole);
      for (size_t a = 0; a <= n; a++) {
        in_three(kind, a, a + (n - a) / 3, n, cut);
        wrong += memcmp(whole, cut, size) != 0;
      }
    }
    is(wrong, 0, names[kind]);
  }
}

static void test_byte_by_byte(void)
{
  for (int kind = 0; kind < GREEN_DIGEST_KINDS; kind++) {
    uint8_t whole[GREEN_DIGEST_MOST], cut[GREEN_DIGEST_MOST];
    green_digest d, copy;
    green_digest_init(&d, kind);
    for (size_t i = 0; i < LONGEST; i++) {
      green_digest_update(&d, noise + i, 1);
      if (i == 150) copy = d;
    }
    green_digest_final(&d, cut);
    green_digest_of(kind, noise, LONGEST, whole);
    ok(!memcmp(whole, cut, green_digest_size(kind)), names[kind]);
    green_digest_final(&copy, cut);
    green_digest_of(kind, noise, 151, whole);
    ok(!memcmp(whole, cut, green_digest_size(kind)), "a copy stays behind");
  }
}

/* The same by plain C and by the processor: runs of blocks of every length. */
static void test_plain_and_wide(void)
{
  static uint8_t many[64 * 40 + 13];
  int wrong = 0;
  if (!green__sha1_wide() || !green__sha256_wide()) {
    t_skip("both ways agree", "this processor has no instructions for SHA");
    return;
  }
  for (size_t i = 0; i < sizeof(many); i++) many[i] = (uint8_t)rand();
  for (int kind = GREEN_SHA1; kind <= GREEN_SHA256; kind++)
    for (size_t n = 0; n <= sizeof(many); n += 13) {
      uint8_t plain[GREEN_DIGEST_MOST], wide[GREEN_DIGEST_MOST];
      green__digest_plain(true);
      green_digest_of(kind, guard_copy(many, n), n, plain);
      green__digest_plain(false);
      green_digest_of(kind, guard_copy(many, n), n, wide);
      wrong += memcmp(plain, wide, green_digest_size(kind)) != 0;
    }
  is(wrong, 0, "both ways agree");
}

static void test_wiped(void)
{
  green_digest d, zero;
  uint8_t digest[GREEN_DIGEST_MOST];
  memset(&zero, 0, sizeof(zero));
  green_digest_init(&d, GREEN_SHA256);
  green_digest_update(&d, "secret", 6);
  green_digest_final(&d, digest);
  ok(!memcmp(&d, &zero, sizeof(d)), "nothing stays");
}

/* -- HMAC ----------------------------------------------------------------- */

static uint8_t key[200], data[200];

static const char *mac(int kind, size_t key_n, const void *p, size_t n)
{
  uint8_t digest[GREEN_DIGEST_MOST];
  green_hmac h;
  green_hmac_init(&h, kind, guard_copy(key, key_n), key_n);
  green_hmac_update(&h, guard_copy(p, n / 2), n / 2);
  p = (const char *)p + n / 2;
  green_hmac_update(&h, guard_copy(p, n - n / 2), n - n / 2);
  green_hmac_final(&h, digest);
  return hex(digest, green_digest_size(kind));
}

static const char *mac_text(int kind, size_t key_n, const char *p)
{
  return mac(kind, key_n, p, strlen(p));
}

#define LARGE "Test Using Larger Than Block-Size Key - Hash Key First"
#define LARGE_2 \
  "Test Using Larger Than Block-Size Key and Larger Than One " \
  "Block-Size Data"

/* RFC 2202, 2. */
static void test_hmac_md5(void)
{
  memset(key, 0x0b, 16);
  is_str(mac_text(GREEN_MD5, 16, "Hi There"),
         "9294727a3638bb1c13f48ef8158bfc9d", "HMAC-MD5 1");
  memcpy(key, "Jefe", 4);
  is_str(mac_text(GREEN_MD5, 4, "what do ya want for nothing?"),
         "750c783e6ab0b503eaa86e310a5db738", "2");
  memset(key, 0xaa, 80);
  memset(data, 0xdd, 50);
  is_str(mac(GREEN_MD5, 16, data, 50), "56be34521d144c88dbb8c733f0e8b3f6", "3");
  is_str(mac_text(GREEN_MD5, 80, LARGE), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
         "6");
  is_str(mac_text(GREEN_MD5, 80, LARGE_2), "6f630fad67cda0ee1fb1f562db3aa53e",
         "7");
}

/* RFC 2202, 3. */
static void test_hmac_sha1(void)
{
  memset(key, 0x0b, 20);
  is_str(mac_text(GREEN_SHA1, 20, "Hi There"),
         "b617318655057264e28bc0b6fb378c8ef146be00", "HMAC-SHA-1 1");
  memcpy(key, "Jefe", 4);
  is_str(mac_text(GREEN_SHA1, 4, "what do ya want for nothing?"),
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "2");
  memset(key, 0xaa, 80);
  is_str(mac(GREEN_SHA1, 20, data, 50),
         "125d7342b9ac11cd91a39af48aa17b4f63f175d3", "3");
  is_str(mac_text(GREEN_SHA1, 80, LARGE),
         "aa4ae5e15272d00e95705637ce8a3b55ed402112", "6");
  is_str(mac_text(GREEN_SHA1, 80, LARGE_2),
         "e8e99d0f45237d786d6bbaa7965c7808bbff1a91", "7");
}

#define GREAT \
  "This is a test using a larger than block-size key and a larger than " \
  "block-size data. The key needs to be hashed before being used by the " \
  "HMAC algorithm."

static const struct {
  int kind;
  const char *case_1, *case_2, *case_3, *case_6, *case_7;
} rfc4231[] = {
    {GREEN_SHA224, "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
     "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
     "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
     "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
     "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1"},
    {GREEN_SHA256,
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    {GREEN_SHA384,
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
     "faea9ea9076ede7f4af152e8b2fa9cb6",
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
     "8e2240ca5e69e2c78b3239ecfab21649",
     "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"
     "2a5ab39dc13814b94e3ab6e101a34f27",
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
     "0c2ef6ab4030fe8296248df163f44952",
     "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
     "a678cc31e799176d3860e6110c46523e"},
    {GREEN_SHA512,
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
     "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
     "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
     "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
     "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
     "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
};

static void test_hmac_sha2(void)
{
  for (size_t i = 0; i < sizeof(rfc4231) / sizeof(rfc4231[0]); i++) {
    int kind = rfc4231[i].kind;
    memset(key, 0x0b, 20);
    is_str(mac_text(kind, 20, "Hi There"), rfc4231[i].case_1, "RFC 4231 1");
    memcpy(key, "Jefe", 4);
    is_str(mac_text(kind, 4, "what do ya want for nothing?"), rfc4231[i].case_2,
           "2");
    memset(key, 0xaa, 131);
    is_str(mac(kind, 20, data, 50), rfc4231[i].case_3, "3");
    is_str(mac_text(kind, 131, LARGE), rfc4231[i].case_6, "6");
    is_str(mac_text(kind, 131, GREAT), rfc4231[i].case_7, "7");
  }
}

static void test_equal(void)
{
  ok(green_digest_equal("", "", 0), "nothing");
  ok(green_digest_equal("abc", "abc", 3), "the same");
  ok(!green_digest_equal("abc", "abd", 3), "not at the end");
  ok(!green_digest_equal("xbc", "abc", 3), "nor at the beginning");
  ok(!green_digest_equal("a\x80", "a\0", 2), "nor in one bit");
}

int main(void)
{
  t_start();
  for (size_t i = 0; i < LONGEST; i++) noise[i] = (uint8_t)(i * 167 + 41);
  for (int plain = 0; plain < 2; plain++) {
    green__digest_plain(plain);
    test_vectors();
    test_a_million();
    test_every_cut();
    test_byte_by_byte();
  }
  test_plain_and_wide();
  test_wiped();
  test_hmac_md5();
  test_hmac_sha1();
  test_hmac_sha2();
  test_equal();
  return t_done();
}
