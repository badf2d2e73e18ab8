"""Which file registers which top-level operator, so that a file loads when one of its names is first used."""

# Names with a dot live in namespaces, whose modules load the files themselves.
FUNCTIONS = {
    "calculus": ("cumulative_trapezoid diff gradient trapezoid trapz"),
    "comparison": ("allclose bucketize isclose isin"),
    "contractions": ("einsum tensordot"),
    "copies": (
        "alias_copy as_strided_copy as_strided_scatter diagonal_copy diagonal_scatter expand_copy narrow_copy "
        "permute_copy select_scatter slice_scatter split_with_sizes_copy squeeze_copy t_copy transpose_copy "
        "unbind_copy unfold_copy unsqueeze_copy view_copy"
    ),
    "fourier": ("istft stft"),
    "grids": ("broadcast_shapes broadcast_tensors cartesian_prod combinations meshgrid unravel_index vander"),
    "joining": (
        "atleast_1d atleast_2d atleast_3d block_diag column_stack dsplit dstack hsplit hstack row_stack "
        "tensor_split unsafe_chunk unsafe_split vsplit vstack"
    ),
    "linalg": (
        "cholesky cholesky_inverse cholesky_solve det geqrf inverse logdet lu lu_solve lu_unpack matrix_exp "
        "matrix_power orgqr ormqr pca_lowrank pinverse qr slogdet svd svd_lowrank triangular_solve"
    ),
    "norms": ("norm renorm"),
    "products": ("cdist chain_matmul cross dist inner kron pdist"),
    "selection": ("nonzero nonzero_static unique unique_consecutive"),
    "statistics": ("corrcoef cov histc histogram nanquantile quantile"),
}

METHODS = {
    "calculus": ("diff"),
    "comparison": ("allclose isclose"),
    "copies": ("as_strided_scatter diagonal_scatter narrow_copy select_scatter slice_scatter"),
    "fourier": ("istft stft"),
    "joining": ("dsplit hsplit tensor_split unsafe_chunk unsafe_split vsplit"),
    "linalg": (
        "cholesky cholesky_inverse cholesky_solve det geqrf inverse logdet lu lu_solve matrix_exp "
        "matrix_power orgqr ormqr pinverse qr slogdet svd triangular_solve"
    ),
    "norms": ("norm renorm renorm_"),
    "products": ("cross dist inner kron"),
    "selection": ("nonzero nonzero_static unique unique_consecutive"),
    "statistics": ("corrcoef cov histc histogram nanquantile quantile"),
}
