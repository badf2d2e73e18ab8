// Random tensors: filling in place, and new tensors filled so. The numbers are those of PyTorch's CPU
// generator.
#include "ops/random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <tuple>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/random.h"
#include "ops/arithmetic.h"
#include "ops/factory.h"
#include "ops/reduction.h"
#include "ops/sort.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using MaybeDType = std::optional<DType>;
using MaybeLayout = std::optional<Layout>;
using MaybeDevice = std::optional<Device>;
using MaybeBool = std::optional<bool>;
using MaybeFormat = std::optional<MemoryFormat>;
using kernels::random_kernels;

Generator& chosen(Generator* generator) {
    return generator != nullptr ? *generator : default_generator();
}

// The dimensions from the outermost in memory to the innermost: the order in which elements are drawn.
Dims memory_order(const Tensor& tensor) {
    Dims order;
    for (int64_t d = 0; d < tensor.dim(); ++d) order.push_back(d);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return tensor.strides()[a] > tensor.strides()[b]; });
    return order;
}

Tensor permuted_alias(const Tensor& tensor, const Dims& order) {
    Dims sizes, strides;
    for (const int64_t d : order) {
        sizes.push_back(tensor.sizes()[d]);
        strides.push_back(tensor.strides()[d]);
    }
    return alias(tensor, sizes, strides, tensor.offset());
}

// Calls draw(generator, memory) for contiguous memory of all elements, drawn in the order of memory.
template <class Draw>
void draw_into(const Tensor& self, Generator* generator, Draw draw) {
    if (self.is_meta() || self.numel() == 0) return;
    const Tensor ordered = self.is_contiguous() ? self : permuted_alias(self, memory_order(self));
    const Tensor target = ordered.is_contiguous() ? ordered : empty(ordered.sizes(), options_of(self));
    {
        const GilRelease released(self.numel());
        Generator& source = chosen(generator);
        const std::lock_guard lock(source.mutex);
        draw(source, target.raw_data());
    }
    if (!target.is_same(ordered)) copy_data(ordered, target);
}

// In place: the gradient to what was overwritten is zero.
template <class Fill>
Tensor write_draws(const char* node, const Tensor& self, Fill fill) {
    const bool tracked = gradients_wanted({self});
    check_writable(self, tracked);
    const Tensor before = tracked ? before_write(self) : Tensor();
    fill();
    self.bump_version();
    if (tracked) {
        const Tensor written = record(node, {before}, alias(self), [] {
            return [](const Tensor& grad) -> Gradients { return {grad * Scalar(0.0)}; };
        });
        rebase_history(self, written);
    }
    return self;
}
template <class Draw>
Tensor draw_in_place(const char* node, const Tensor& self, Generator* generator, Draw draw) {
    return write_draws(node, self, [&] { draw_into(self, generator, draw); });
}

void check_floating(const Tensor& self, const char* kernel) {
    check<NotImplemented>(is_floating(self.dtype()), "\"", kernel, "\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
}
void check_real(const Tensor& self, const char* kernel, bool boolean_too = true) {
    check<NotImplemented>(!is_complex(self.dtype()) && (boolean_too || !is_boolean(self.dtype())), "\"",
                          kernel, "\" not implemented for '", info(self.dtype()).scalar_name, "'");
}
void check_continuous(const Tensor& self, const char* name) {
    check<NotImplemented>(
        is_floating(self.dtype()), name,
        " distribution is a continuous probability distribution. dtype must be a floating point but "
        "you specified ",
        info(self.dtype()).scalar_name);
}

// A complex tensor as a real one with pairs in a last dimension, off the graph.
Tensor as_pairs(const Tensor& self) {
    const GradientsEnabled disabled(false);
    return view_as_real(self);
}

void draw_normal(const Tensor& self, double mean, double std, Generator* generator) {
    constexpr int64_t smallest_block = 16;
    const int64_t count = self.numel();
    const bool blocked = count >= smallest_block && self.is_contiguous();
    draw_into(self, generator, [&](Generator& source, void* memory) {
        const auto& kernels = random_kernels();
        (blocked ? kernels.normal_blocked : kernels.normal_serial)(source, self.dtype(), memory, count, mean,
                                                                   std);
    });
}

}  // namespace

Tensor normal_(const Tensor& self, double mean, double std, Generator* generator) {
    check(std >= 0, "normal expects std >= 0.0, but found std ", std);
    const bool complex = is_complex(self.dtype());
    if (!complex) check_floating(self, "normal_kernel_cpu");
    return write_draws("NormalBackward0", self, [&] {
        if (complex) {
            draw_normal(as_pairs(self), mean, std / std::numbers::sqrt2, generator);
        } else {
            draw_normal(self, mean, std, generator);
        }
    });
}

Tensor uniform_(const Tensor& self, double from, double to, Generator* generator) {
    const Tensor target = is_complex(self.dtype()) ? as_pairs(self) : self;
    check_floating(target, "check_uniform_bounds");
    const double limit = target.dtype() == DType::float16 ? 65504.0 : std::numeric_limits<double>::max();
    check(std::abs(from) <= limit, "from is out of bounds for c10::Half");
    check(std::abs(to) <= limit, "to is out of bounds for c10::Half");
    check(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
    return draw_in_place("UniformBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().uniform(source, target.dtype(), memory, target.numel(), from, to);
    });
}

Tensor bernoulli_(const Tensor& self, double p, Generator* generator) {
    check(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
    check_real(self, "bernoulli_scalar_cpu_");
    return draw_in_place("BernoulliBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().bernoulli(source, self.dtype(), memory, self.numel(), p);
    });
}

Tensor exponential_(const Tensor& self, double lambda, Generator* generator) {
    check_continuous(self, "Exponential");
    check(lambda > 0, "exponential_ expects lambda > 0.0, but found lambda=", lambda);
    return draw_in_place("ExponentialBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().exponential(source, self.dtype(), memory, self.numel(), lambda);
    });
}

namespace {

Tensor cauchy_(const Tensor& self, double median, double sigma, Generator* generator) {
    check_continuous(self, "Cauchy");
    check(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
    return draw_in_place("CauchyBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().cauchy(source, self.dtype(), memory, self.numel(), median, sigma);
    });
}

Tensor log_normal_(const Tensor& self, double mean, double std, Generator* generator) {
    check(std > 0, "log_normal_ expects std > 0.0, but found std=", std);
    check_floating(self, "log_normal_cpu");
    return draw_in_place("LogNormalBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().log_normal(source, self.dtype(), memory, self.numel(), mean, std);
    });
}

Tensor geometric_(const Tensor& self, double p, Generator* generator) {
    check(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
    check_real(self, "geometric_cpu", false);
    return draw_in_place("GeometricBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().geometric(source, self.dtype(), memory, self.numel(), p);
    });
}

Tensor bernoulli_tensor_(const Tensor& self, const Tensor& p, Generator* generator) {
    check_floating(p, "bernoulli_tensor_cpu_p_");
    check_real(self, "bernoulli_tensor_cpu_self_");
    check(can_broadcast_to(p.sizes(), self.sizes()), "output with shape ", to_string(self.sizes()),
          " doesn't match the broadcast shape ", to_string(p.sizes()));
    const Tensor spread =
        alias(p, self.sizes(), broadcast_strides(p.sizes(), p.strides(), self.sizes()), p.offset());
    const Tensor chances = contiguous_data(permuted_alias(spread, memory_order(self)));
    if (!p.is_meta() && chances.numel() > 0) {
        const GradientsEnabled disabled(false);
        check(amin(chances).item().to_double() >= 0 && amax(chances).item().to_double() <= 1,
              "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be "
              "improved?  If "
              "so, please report an enhancement request to PyTorch.)");
    }
    return draw_in_place("BernoulliBackward2", self, generator, [&](Generator& source, void* memory) {
        random_kernels().bernoulli_each(source, self.dtype(), memory, self.numel(), chances.raw_data(),
                                        chances.dtype());
    });
}

Tensor bernoulli(const Tensor& self, Generator* generator) {
    const Tensor result = empty_like(self);
    {
        const GradientsEnabled disabled(false);
        bernoulli_tensor_(result, self, generator);
    }
    return record("BernoulliBackward0", {self}, result,
                  [] { return [](const Tensor& grad) -> Gradients { return {grad * Scalar(0.0)}; }; });
}
Tensor bernoulli_p(const Tensor& self, double p, Generator* generator) {
    return bernoulli_(empty_like(self), p, generator);
}

// What a type of whole or floating numbers can hold, and its name in C++.
struct Bounds {
    const char* name;
    double lowest, highest;
    int exact_bits;  // 0 for integers
};
Bounds bounds_of(DType dtype) {
    switch (dtype) {
        case DType::boolean:
            return {"bool", 0, 1, 0};
        case DType::uint8:
            return {"unsigned char", 0, 255, 0};
        case DType::int8:
            return {"signed char", -128, 127, 0};
        case DType::int16:
            return {"short", -32768, 32767, 0};
        case DType::int32:
            return {"int", -0x1p31, 0x1p31 - 1, 0};
        case DType::int64:
            return {"long", -0x1p63, 0x1p63, 0};
        case DType::float16:
            return {"c10::Half", -65504, 65504, 11};
        case DType::bfloat16:
            return {"c10::BFloat16", -0x1.fep127, 0x1.fep127, 8};
        case DType::float32:
            return {"float", -0x1.fffffep127, 0x1.fffffep127, 24};
        default:
            return {"double", -0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023, 53};
    }
}

void check_bound(const Bounds& bounds, int64_t value, const char* what) {
    const auto number = static_cast<double>(value);
    check(number >= bounds.lowest && number <= bounds.highest, what, " is out of bounds for ", bounds.name);
    const double exact = std::ldexp(1.0, bounds.exact_bits);
    if (bounds.exact_bits == 0 || std::abs(number) <= exact) return;
    const std::string warning = message(what, " is out of bounds [-(2^", bounds.exact_bits, "), 2^",
                                        bounds.exact_bits, "]. Due to precision limitations ", bounds.name,
                                        " can support discrete uniform distribution only within this range. "
                                        "This warning will become an error "
                                        "in version 1.7 release, please fix the code in advance");
    if (PyErr_WarnEx(PyExc_UserWarning, warning.c_str(), 1) != 0) throw PythonError();
}

Tensor draw_integers(const Tensor& self, uint64_t range, int64_t base, Generator* generator) {
    return draw_in_place("RandomBackward0", self, generator, [&](Generator& source, void* memory) {
        random_kernels().integers(source, self.dtype(), memory, self.numel(), range, base);
    });
}

Tensor random_from_(const Tensor& self, int64_t from, const std::optional<int64_t>& to,
                    Generator* generator) {
    check_real(self, "random_from_to_range_calc");
    const Bounds bounds = bounds_of(self.dtype());
    if (to) {
        check(from < *to, "random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", *to);
        check_bound(bounds, from, "from");
        check_bound(bounds, *to - 1, "to - 1");
        return draw_integers(self, static_cast<uint64_t>(*to) - static_cast<uint64_t>(from), from, generator);
    }
    if (from == std::numeric_limits<int64_t>::min()) return draw_integers(self, 0, 0, generator);
    check_bound(bounds, from, "from");
    const double last = bounds.exact_bits > 0 ? std::ldexp(1.0, bounds.exact_bits) : bounds.highest;
    const uint64_t highest =
        last >= 0x1p63 ? std::numeric_limits<int64_t>::max() : static_cast<uint64_t>(last);
    return draw_integers(self, highest - static_cast<uint64_t>(from) + 1, from, generator);
}
Tensor random_to_(const Tensor& self, int64_t to, Generator* generator) {
    return random_from_(self, 0, to, generator);
}
Tensor random_all_(const Tensor& self, Generator* generator) {
    check_real(self, "random_kernel_cpu");
    return draw_in_place("RandomBackward2", self, generator, [&](Generator& source, void* memory) {
        random_kernels().integers_all(source, self.dtype(), memory, self.numel());
    });
}

Tensor rand_op(const Dims& size, Generator* generator, MaybeDType dtype, MaybeLayout, MaybeDevice device,
               MaybeBool pin_memory, bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(uniform_(empty(size, factory.options()), 0, 1, generator));
}
Tensor randn_op(const Dims& size, Generator* generator, MaybeDType dtype, MaybeLayout, MaybeDevice device,
                MaybeBool pin_memory, bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(normal_(empty(size, factory.options()), 0, 1, generator));
}
Tensor randint_low(int64_t low, int64_t high, const Dims& size, Generator* generator, MaybeDType dtype,
                   MaybeLayout, MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                   const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(random_from_(empty(size, factory.options(DType::int64)), low, high, generator));
}
Tensor randint_high(int64_t high, const Dims& size, Generator* generator, MaybeDType dtype,
                    MaybeLayout layout, MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                    const Destination& destination) {
    return randint_low(0, high, size, generator, dtype, layout, device, pin_memory, requires_grad,
                       destination);
}

Tensor randperm(int64_t n, Generator* generator, MaybeDType dtype, MaybeLayout, MaybeDevice device,
                MaybeBool pin_memory, bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    const Tensor result = empty(Dims{n}, factory.options(DType::int64));
    check_real(result, "randperm", false);
    const Bounds bounds = bounds_of(result.dtype());
    if (bounds.exact_bits > 0) {
        const auto limit = static_cast<int64_t>(std::ldexp(1.0, bounds.exact_bits)) + 1;
        check(n <= limit, "n cannot be greater than ", limit, " for ", info(result.dtype()).scalar_name,
              " type.");
    } else {
        check(static_cast<double>(n) <= bounds.highest, "value cannot be converted to type ",
              info(result.dtype()).name, "_t without overflow");
    }
    draw_into(result, generator, [&](Generator& source, void* memory) {
        random_kernels().permutation(source, result.dtype(), memory, n);
    });
    return factory.finish(result);
}

// Memory like that of `self`, in its order of dimensions or in the given format.
Tensor memory_like(const Tensor& self, const Factory& factory, MaybeFormat memory_format) {
    const MemoryFormat format = memory_format.value_or(MemoryFormat::preserve);
    const Dims strides = format == MemoryFormat::preserve ? strides_like(self.sizes(), self.strides())
                                                          : strides_for(self.sizes(), format);
    return empty_strided(self.sizes(), strides, factory.options(self.dtype(), self.device()));
}
Tensor rand_like(const Tensor& self, MaybeDType dtype, MaybeLayout, MaybeDevice device, MaybeBool pin_memory,
                 bool requires_grad, MaybeFormat memory_format, Generator* generator) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    return factory.finish(uniform_(memory_like(self, factory, memory_format), 0, 1, generator));
}
Tensor randn_like(const Tensor& self, MaybeDType dtype, MaybeLayout, MaybeDevice device, MaybeBool pin_memory,
                  bool requires_grad, MaybeFormat memory_format, Generator* generator) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    return factory.finish(normal_(memory_like(self, factory, memory_format), 0, 1, generator));
}
Tensor randint_like_low(const Tensor& self, int64_t low, int64_t high, MaybeDType dtype, MaybeLayout,
                        MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                        MaybeFormat memory_format, Generator* generator) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    return factory.finish(random_from_(memory_like(self, factory, memory_format), low, high, generator));
}
Tensor randint_like_high(const Tensor& self, int64_t high, MaybeDType dtype, MaybeLayout layout,
                         MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                         MaybeFormat memory_format, Generator* generator) {
    return randint_like_low(self, 0, high, dtype, layout, device, pin_memory, requires_grad, memory_format,
                            generator);
}

// mean + std * a standard normal draw; the gradient to both is zero.
Tensor scaled_normal(const char* node, const Tensor& drawn, const Tensor& mean, const Tensor& std) {
    Tensor result = drawn;
    {
        const GradientsEnabled disabled(false);
        if (std.defined()) result = mul(result, std);
        if (mean.defined()) result = add(result, mean);
    }
    return record(node, {mean, std}, result, [&] {
        return [has_mean = mean.defined(), has_std = std.defined()](const Tensor& grad) -> Gradients {
            const Tensor zero = grad * Scalar(0.0);
            return {has_mean ? zero : Tensor(), has_std ? zero : Tensor()};
        };
    });
}

void check_deviations(const Tensor& std) {
    check(!is_complex(std.dtype()), "normal expects standard deviation to be non-complex");
    if (std.is_meta() || std.numel() == 0) return;
    const GradientsEnabled disabled(false);
    check(amin(std).item().to_double() >= 0, "normal expects all elements of std >= 0.0");
}

Tensor normal_tensor_float(const Tensor& mean, double std, Generator* generator) {
    return scaled_normal("NormalBackward1", normal_(empty(mean.sizes(), options_of(mean)), 0, std, generator),
                         mean, Tensor());
}
Tensor normal_float_tensor(double mean, const Tensor& std, Generator* generator) {
    check_deviations(std);
    const Tensor drawn = normal_(empty(std.sizes(), options_of(std)), 0, 1, generator);
    const Tensor scaled = scaled_normal("NormalBackward2", drawn, Tensor(), std);
    return mean == 0 ? scaled : add(scaled, wrap_number(mean));
}
Tensor normal_tensor_tensor(const Tensor& mean, const Tensor& std, Generator* generator) {
    check_deviations(std);
    const Dims sizes = broadcast(mean.sizes(), std.sizes());
    return scaled_normal("NormalBackward3", normal_(empty(sizes, options_of(mean)), 0, 1, generator), mean,
                         std);
}
Tensor normal_float_float(double mean, double std, const Dims& size, Generator* generator, MaybeDType dtype,
                          MaybeLayout, MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                          const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(normal_(empty(size, factory.options()), mean, std, generator));
}

Tensor poisson(const Tensor& self, Generator* generator) {
    check_floating(self, "poisson_cpu");
    const Tensor rates = contiguous_data(self);
    if (!rates.is_meta() && rates.numel() > 0) {
        const GradientsEnabled disabled(false);
        check(amin(rates).item().to_double() >= 0, "invalid Poisson rate, expected rate to be non-negative");
    }
    const Tensor result = empty(self.sizes(), options_of(self));
    draw_into(result, generator, [&](Generator& source, void* memory) {
        random_kernels().poisson(source, result.dtype(), memory, result.numel(), rates.raw_data());
    });
    return record("PoissonBackward0", {self}, result,
                  [] { return [](const Tensor& grad) -> Gradients { return {grad * Scalar(0.0)}; }; });
}

void check_weights(const Tensor& weights, int64_t samples, bool replacement) {
    check(weights.dim() == 1 || weights.dim() == 2, "prob_dist must be 1 or 2 dim");
    check(is_floating(weights.dtype()), "multinomial only supports floating-point dtypes for input, got: ",
          info(weights.dtype()).scalar_name);
    check(samples > 0, "cannot sample n_sample <= 0 samples");
    check(replacement || samples <= weights.size(-1),
          "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
    check(weights.size(-1) <= int64_t{1} << 24, "number of categories cannot exceed 2^24");
    if (weights.is_meta() || weights.numel() == 0) return;
    const double lowest = amin(weights).item().to_double(), highest = amax(weights).item().to_double();
    check(lowest >= 0 && highest < std::numeric_limits<double>::infinity(),
          "probability tensor contains either `inf`, `nan` or element < 0");
    check(amin(sum(weights, Dims{-1})).item().to_double() > 0,
          "invalid multinomial distribution (sum of probabilities <= 0)");
}

Tensor multinomial(const Tensor& self, int64_t num_samples, bool replacement, Generator* generator) {
    const GradientsEnabled disabled(false);
    check_weights(self, num_samples, replacement);
    Dims sizes = self.sizes();
    const int64_t categories = sizes[sizes.size() - 1];
    sizes[sizes.size() - 1] = num_samples;
    if (self.numel() == 0 || self.is_meta()) return empty(sizes, {DType::int64, self.device()});
    if (!replacement || num_samples == 1) {
        // The largest of weight / exponential draw: Efraimidis and Spirakis (2006).
        const Tensor keys = div(self, exponential_(empty_like(self), 1, generator));
        return num_samples == 1 ? argmax(keys, -1, true) : std::get<1>(topk(keys, num_samples, -1));
    }
    const Tensor weights = contiguous_data(self);
    const Tensor result = empty(sizes, {DType::int64, self.device()});
    const Tensor cumulative = empty(Dims{categories}, {DType::float64, self.device()});
    draw_into(result, generator, [&](Generator& source, void* memory) {
        random_kernels().multinomial(source, weights.dtype(), weights.raw_data(),
                                     weights.numel() / categories, categories, static_cast<int64_t*>(memory),
                                     num_samples, cumulative.raw_data());
    });
    return result;
}

constexpr OperatorOptions fills(const char* doc) {
    return {.variants = method, .doc = doc, .dtypes = "floating"};
}
constexpr OperatorOptions makes(const char* doc) {
    return {.variants = function | out, .doc = doc, .differentiable = false};
}
constexpr OperatorOptions makes_like(const char* doc) {
    return {.variants = function, .doc = doc, .differentiable = false};
}

const Register normal_in_place{
    "normal_(Tensor(a!) self, float mean=0, float std=1, *, Generator? generator=None) -> Tensor(a!)",
    normal_, fills("Fills with draws from the normal distribution. Raises RuntimeError for a negative std.")};
const Register uniform_in_place{
    "uniform_(Tensor(a!) self, float from=0, float to=1, *, Generator? generator=None) -> Tensor(a!)",
    uniform_,
    fills("Fills with draws from the uniform distribution over [from, to). Raises RuntimeError where from > "
          "to.")};
const Register bernoulli_tensor_in_place{
    "bernoulli_.Tensor(Tensor(a!) self, Tensor p, *, Generator? generator=None) -> Tensor(a!)",
    bernoulli_tensor_, fills("Fills with ones, each with its own probability, and zeros.")};
const Register bernoulli_in_place{
    "bernoulli_.float(Tensor(a!) self, float p=0.5, *, Generator? generator=None) -> Tensor(a!)", bernoulli_,
    fills("Fills with ones, with probability p, and zeros. Raises RuntimeError for p outside [0, 1].")};
const Register exponential_in_place{
    "exponential_(Tensor(a!) self, float lambd=1, *, Generator? generator=None) -> Tensor(a!)", exponential_,
    fills("Fills with draws from the exponential distribution of rate lambd > 0.")};
const Register cauchy_in_place{
    "cauchy_(Tensor(a!) self, float median=0, float sigma=1, *, Generator? generator=None) -> Tensor(a!)",
    cauchy_, fills("Fills with draws from the Cauchy distribution.")};
const Register log_normal_in_place{
    "log_normal_(Tensor(a!) self, float mean=1, float std=2, *, Generator? generator=None) -> Tensor(a!)",
    log_normal_, fills("Fills with exponentials of draws from the normal distribution.")};
const Register geometric_in_place{
    "geometric_(Tensor(a!) self, float p, *, Generator? generator=None) -> Tensor(a!)", geometric_,
    fills("Fills with the number of trials up to the first success, each of probability p in (0, 1).")};
const Register random_in_place{
    "random_(Tensor(a!) self, *, Generator? generator=None) -> Tensor(a!)", random_all_,
    fills("Fills with whole numbers: all that the type holds exactly, below `to`, or in [from, to).")};
const Register random_to_in_place{
    "random_.to(Tensor(a!) self, int to, *, Generator? generator=None) -> Tensor(a!)", random_to_,
    fills("Whole numbers below `to`.")};
const Register random_from_in_place{
    "random_.from(Tensor(a!) self, int from, int? to, *, Generator? generator=None) -> Tensor(a!)",
    random_from_, fills("Whole numbers in [from, to).")};

const Register rand_registered{"rand(int[] size, *, Generator? generator=None, " RUSHLIGHT_FACTORY_SCHEMA
                               ") -> Tensor",
                               rand_op, makes(R"(
A tensor of uniform draws from [0, 1).

>>> _ = torch.manual_seed(0)
>>> torch.rand(3)
tensor([0.4963, 0.7682, 0.0885])
)")};
const Register randn_registered{"randn(int[] size, *, Generator? generator=None, " RUSHLIGHT_FACTORY_SCHEMA
                                ") -> Tensor",
                                randn_op, makes(R"(
A tensor of draws from the standard normal distribution.

>>> _ = torch.manual_seed(0)
>>> torch.randn(3)
tensor([ 1.5410, -0.2934, -2.1788])
)")};
const Register randint_low_registered{
    "randint.low(int low, int high, int[] size, *, Generator? generator=None, " RUSHLIGHT_FACTORY_SCHEMA
    ") -> Tensor",
    randint_low, makes("Whole numbers in [low, high).")};
const Register randint_registered{
    "randint(int high, int[] size, *, Generator? generator=None, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    randint_high, makes(R"(
A tensor of whole numbers drawn from [0, high) or [low, high), int64 unless another type is given.

>>> _ = torch.manual_seed(0)
>>> torch.randint(10, (3,))
tensor([4, 9, 3])
)")};
const Register randperm_registered{"randperm(int n, *, Generator? generator=None, " RUSHLIGHT_FACTORY_SCHEMA
                                   ") -> Tensor",
                                   randperm, makes(R"(
The numbers from 0 to n - 1 in random order, int64 unless another type is given.

>>> _ = torch.manual_seed(0)
>>> torch.randperm(4)
tensor([0, 1, 3, 2])
)")};
const Register rand_like_registered{
    "rand_like(Tensor self, *, " RUSHLIGHT_FACTORY_SCHEMA
    ", MemoryFormat? memory_format=None, Generator? generator=None) -> Tensor",
    rand_like, makes_like("`rand` with the size, type and device of another tensor.")};
const Register randn_like_registered{
    "randn_like(Tensor self, *, " RUSHLIGHT_FACTORY_SCHEMA
    ", MemoryFormat? memory_format=None, Generator? generator=None) -> Tensor",
    randn_like, makes_like("`randn` with the size, type and device of another tensor.")};
const Register randint_like_registered{
    "randint_like(Tensor self, int high, *, " RUSHLIGHT_FACTORY_SCHEMA
    ", MemoryFormat? memory_format=None, Generator? generator=None) -> Tensor",
    randint_like_high, makes_like("`randint` with the size, type and device of another tensor.")};
const Register randint_like_low_registered{
    "randint_like.low_dtype(Tensor self, int low, int high, *, " RUSHLIGHT_FACTORY_SCHEMA
    ", MemoryFormat? memory_format=None, Generator? generator=None) -> Tensor",
    randint_like_low, makes_like("`randint` with the size, type and device of another tensor.")};

const Register normal_tensor_tensor_registered{
    "normal.Tensor_Tensor(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor",
    normal_tensor_tensor,
    {.variants = function | out, .doc = R"(
Draws from normal distributions whose mean and std are tensors, broadcast together, or numbers; with two numbers a
size is needed. Raises RuntimeError for a negative std.

>>> torch.normal(torch.zeros(3), 0.0)
tensor([0., 0., 0.])
)"}};
const Register normal_tensor_float_registered{
    "normal.Tensor_float(Tensor mean, float std=1, *, Generator? generator=None) -> Tensor",
    normal_tensor_float,
    {.variants = function | out, .doc = "Draws around the elements of a tensor."}};
const Register normal_float_tensor_registered{
    "normal.float_Tensor(float mean, Tensor std, *, Generator? generator=None) -> Tensor",
    normal_float_tensor,
    {.variants = function | out, .doc = "Draws with the deviations of a tensor."}};
const Register normal_float_float_registered{
    "normal.float_float(float mean, float std, int[] size, *, Generator? "
    "generator=None, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    normal_float_float, makes("Draws of one mean and std.")};
const Register bernoulli_registered{"bernoulli(Tensor self, *, Generator? generator=None) -> Tensor",
                                    bernoulli,
                                    {.variants = function | method | out, .doc = R"(
Ones with the probabilities that the elements of the input are (or with one probability p), zeros otherwise.

>>> torch.bernoulli(torch.tensor([0., 1.]))
tensor([0., 1.])
)"}};
const Register bernoulli_p_registered{
    "bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor",
    bernoulli_p,
    {.doc = "Ones with probability p.", .differentiable = false}};
const Register poisson_registered{
    "poisson(Tensor self, Generator? generator=None) -> Tensor", poisson, {.variants = function, .doc = R"(
Draws from Poisson distributions whose rates are the elements of the input. Raises RuntimeError for a negative rate.

Products of uniform draws (Knuth, 1969) below a rate of 10, transformed rejection (Hörmann, 1993) from there on.

>>> torch.poisson(torch.zeros(2))
tensor([0., 0.])
)"}};
const Register multinomial_registered{
    "multinomial(Tensor self, int num_samples, bool replacement=False, *, Generator? generator=None) -> "
    "Tensor",
    multinomial,
    {.variants = function | method | out,
     .doc = R"(
Category numbers, int64, drawn with the weights in the last dimension of a vector or matrix. Raises RuntimeError for
weights that are negative, not finite or all zero, and for more samples than categories without replacement.

>>> torch.multinomial(torch.tensor([0., 1., 0.]), 2, replacement=True)
tensor([1, 1])
)",
     .differentiable = false,
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
