#!/usr/bin/env bash
# Build kube-apiserver, which is in no package, from the source package of kubernetes in Debian: about four minutes of a core, once.
# Needs Debian's golang-go and golang-github-modern-go-reflect2-dev; nothing of the system is changed.
set -euo pipefail
kept=${XDG_CACHE_HOME:-$HOME/.cache}/spinsweep-tests/kube-apiserver
[ ! -x "$kept" ] || exit 0
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
mkdir -p lists/partial parts
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  [ ! -f "$file" ] || sed 's/^deb /deb-src /; s/^Types:.*/Types: deb-src/' "$file" >"parts/$(basename "$file")"
done
apt=(-qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$place/parts" -o Dir::State::lists="$place/lists"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" source --download-only kubernetes
export GOPATH=$place/go GOCACHE=$place/cache GO111MODULE=off GOPROXY=off GOFLAGS= CGO_ENABLED=0
tree=$GOPATH/src/k8s.io/kubernetes
mkdir -p "$tree"
tar xzf kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1
cd "$tree"
# Its own copy of reflect2 crashes with Go 1.18 and newer.
rm -rf vendor/github.com/modern-go/reflect2
cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/reflect2
own=k8s.io/kubernetes
go build -o "$place/openapi-gen" $own/vendor/k8s.io/kube-openapi/cmd/openapi-gen
# The descriptions of its own types are made by its Makefile, and not in the archive.
described=$(grep -rl --include='*.go' --exclude='*_test.go' '+k8s:openapi-gen=true' pkg cmd \
  staging/src/k8s.io/{api,apimachinery,apiextensions-apiserver,kube-aggregator,metrics,apiserver,component-base} | grep -v examples |
  xargs -n1 dirname | sort -u | sed "s#^staging/src/#$own/vendor/#; s#^\(pkg\|cmd\)#$own/\1#" | paste -sd,)
"$place/openapi-gen" -i "$described" -p $own/pkg/generated/openapi -O zz_generated.openapi \
  -h hack/boilerplate/boilerplate.generatego.txt -r "$place/violations" --output-base "$GOPATH/src"
go build -ldflags='-s -w' -o "$place/kube-apiserver" $own/cmd/kube-apiserver
mkdir -p "$(dirname "$kept")"
mv "$place/kube-apiserver" "$kept.$$" && mv "$kept.$$" "$kept"
