# The training image: what `facegan-job image build` sends to the engine is this file, a lock and the wheel, no more.
# It keeps to what the plain builder of Docker 20.10 understands.
ARG BASE=python:3.11-slim-bookworm

# Everything but our own code, from a lock. pip stays outside of what is kept. TensorFlow's C++ headers, a fifth of
# it, are for compiling operations against it. Bytecode is 95 MB, and without it no session could keep what it compiles
# at each start. It does not ask for its source's time. All files bear the time 0, and so do the folders above them,
# which are copied as well: the same lock makes the same layer.
FROM $BASE AS dependencies
ARG DEVICE=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/installer && python3 -m venv --without-pip /opt/facegan \
    && mkdir -p /opt/kept/opt && cp -a /opt/facegan /opt/kept/opt/
COPY requirements-$DEVICE.txt /opt/
RUN /opt/installer/bin/pip --python /opt/facegan/bin/python install --no-compile --no-deps --require-hashes \
        --root /opt/kept --requirement /opt/requirements-$DEVICE.txt \
    && rm -rf /opt/kept/opt/facegan/lib/python3*/site-packages/tensorflow/include \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /opt/kept /opt/kept/opt/facegan/lib \
    && find /opt/kept -exec touch --no-dereference --date @0 {} +

# Our own code: installed beside the rest, so that the final stage can take it as a layer of its own.
FROM dependencies AS code
COPY facegan_job-*.whl /opt/
RUN /opt/installer/bin/pip --python /opt/facegan/bin/python install --no-compile --no-deps --no-index \
        --root /opt/code /opt/facegan_job-*.whl \
    && find /opt/code -exec touch --no-dereference --date @0 {} +

FROM $BASE
RUN mkdir -m 1777 /scratch
COPY --from=dependencies /opt/kept/ /
COPY --from=code /opt/code/ /
ENV FACEGAN_HOME=/scratch HOME=/scratch TMPDIR=/scratch PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /scratch
WORKDIR /scratch
USER 10001:10001
ENTRYPOINT ["/opt/facegan/bin/python", "-P", "-m", "facegan"]
ARG DEVICE=cpu
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="facegan-job" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="MIT" \
      facegan.device="$DEVICE"
